// SPDX-License-Identifier: Apache-2.0
#include "agent/web/socket.hpp"

#include "agent/base/socket_address.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace agent {
namespace {

constexpr int kWaiting = 32; // connections that have not been accepted yet

[[noreturn]] void fail(const Endpoint &endpoint) {
    throw std::runtime_error("listen on " + to_string(endpoint) +
                             " for metrics: " + std::generic_category().message(errno) +
                             "; choose another: [metrics] listen");
}

} // namespace

filter::Descriptor listen_for_web(const Endpoint &endpoint) {
    const SocketAddress address(endpoint);
    const int family = address.family(), yes = 1, no = 0;
    filter::Descriptor socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket) fail(endpoint);
    setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (family == AF_INET6) setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    if (bind(socket.get(), address.get(), address.size()) != 0 ||
        listen(socket.get(), kWaiting) != 0)
        fail(endpoint);
    return socket;
}

std::string network_of(const sockaddr *address) {
    const auto text = [](const void *bytes, std::size_t size) {
        return std::string(static_cast<const char *>(bytes), size);
    };
    if (address->sa_family == AF_INET)
        return text(&reinterpret_cast<const sockaddr_in *>(address)->sin_addr, 4);
    const in6_addr &v6 = reinterpret_cast<const sockaddr_in6 *>(address)->sin6_addr;
    return IN6_IS_ADDR_V4MAPPED(&v6) ? text(v6.s6_addr + 12, 4) : text(v6.s6_addr, 8);
}

} // namespace agent
