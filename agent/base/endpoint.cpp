// SPDX-License-Identifier: Apache-2.0
// Strict: an IPv6 address needs its brackets, an IPv4 address may not have any, and the port is a
// plain number.
#include "agent/base/endpoint.hpp"

#include <charconv>

namespace agent {

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == text.npos) return std::nullopt;
    std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
    const bool brackets = host.size() >= 2 && host.front() == '[' && host.back() == ']';
    if (brackets) host = host.substr(1, host.size() - 2);
    const auto address = filter::parse_ip(host);
    Endpoint endpoint;
    const auto [end, error] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (!address || address->is_v4() == brackets || error != std::errc{} ||
        end != port.data() + port.size())
        return std::nullopt;
    endpoint.address = *address;
    return endpoint;
}

std::string to_string(const Endpoint &endpoint) {
    const std::string host = to_string(endpoint.address), port = std::to_string(endpoint.port);
    return endpoint.address.is_v4() ? host + ":" + port : "[" + host + "]:" + port;
}

} // namespace agent
