// SPDX-License-Identifier: Apache-2.0
// Strict: an IPv6 address needs its brackets, an IPv4 address may not have any, and the port is a
// plain number.
#include "agent/base/endpoint.hpp"

#include <algorithm>
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

SocketAddress::SocketAddress(const Endpoint &endpoint) {
    const auto &bytes = endpoint.address.bytes;
    if (endpoint.address.is_v4()) {
        auto &v4 = reinterpret_cast<sockaddr_in &>(storage_);
        v4.sin_family = AF_INET;
        v4.sin_port = htons(endpoint.port);
        std::copy_n(bytes.begin(), 4, reinterpret_cast<std::uint8_t *>(&v4.sin_addr));
    } else {
        auto &v6 = reinterpret_cast<sockaddr_in6 &>(storage_);
        v6.sin6_family = AF_INET6;
        v6.sin6_port = htons(endpoint.port);
        std::copy_n(bytes.begin(), 16, v6.sin6_addr.s6_addr);
    }
}

} // namespace agent
