// SPDX-License-Identifier: Apache-2.0
// Text forms of addresses. inet_pton is stricter than inet_aton: no octal, no hex, no missing octets, so that
// one address has one meaning on every node.
#include "filter/address.hpp"

#include <arpa/inet.h>
#include <cstdio>
#include <cstring>

namespace filter {

std::optional<IpAddress> parse_ip(std::string_view text) {
    char buffer[INET6_ADDRSTRLEN];
    if (text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos)
        return std::nullopt;
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    IpAddress address;
    if (inet_pton(AF_INET, buffer, address.bytes.data()) == 1)
        return address;
    address.family = IpAddress::Family::v6;
    if (inet_pton(AF_INET6, buffer, address.bytes.data()) == 1)
        return address;
    return std::nullopt;
}

std::string to_string(const IpAddress &address) {
    char buffer[INET6_ADDRSTRLEN];
    inet_ntop(address.is_v4() ? AF_INET : AF_INET6, address.bytes.data(), buffer, sizeof buffer);
    return buffer;
}

std::string to_string(const MacAddress &mac) {
    char buffer[sizeof "00:00:00:00:00:00"];
    std::snprintf(buffer, sizeof buffer, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
                  mac[4], mac[5]);
    return buffer;
}

std::optional<MacAddress> parse_mac(std::string_view text) {
    MacAddress mac;
    const std::string copy(text);
    if (std::sscanf(copy.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2],
                    &mac[3], &mac[4], &mac[5]) != 6 ||
        to_string(mac) != text)
        return std::nullopt;
    return mac;
}

} // namespace filter
