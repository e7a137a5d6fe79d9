// SPDX-License-Identifier: Apache-2.0
#include "agent/base/socket_address.hpp"

#include <algorithm>

namespace agent {

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
