// SPDX-License-Identifier: Apache-2.0
#include "parts.hpp"

#include "injector.hpp"

#include <cstring>
#include <stdexcept>

namespace bench {

std::uint64_t send_flood(const Flood &flood, const std::vector<std::string> &sources) {
    using namespace packets;
    Traffic traffic{ethernet(ipv4({}, tcp({.port = flood.port}))), Shape::ipv4, {}};
    for (const std::string &text : sources) {
        const auto address = filter::parse_ip(text);
        if (!address || !address->is_v4()) throw std::runtime_error(text + ": no IPv4 address");
        std::memcpy(&traffic.sources.emplace_back(), address->bytes.data(), 4);
    }
    return Injector(flood.interface).flood(traffic, flood.per_second, flood.seconds);
}

} // namespace bench
