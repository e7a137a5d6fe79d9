// SPDX-License-Identifier: Apache-2.0
// IP and Ethernet addresses as values, in network byte order, with their usual text forms.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace filter {

struct IpAddress {
    enum class Family : std::uint8_t { v4 = 4, v6 = 6 };
    Family family = Family::v4;
    std::array<std::uint8_t, 16> bytes{}; // an IPv4 address in the first four, the rest zero

    bool is_v4() const { return family == Family::v4; }
    auto operator<=>(const IpAddress &) const = default;
};

// "192.0.2.1" or "fd00::1" (no brackets, no zone, no prefix length); nothing when it is neither.
std::optional<IpAddress> parse_ip(std::string_view text);
std::string to_string(const IpAddress &address);

using MacAddress = std::array<std::uint8_t, 6>;
std::string to_string(const MacAddress &mac); // "03:bf:c0:00:02:64"
std::optional<MacAddress> parse_mac(std::string_view text); // of that form alone

} // namespace filter
