// SPDX-License-Identifier: Apache-2.0
#include "agent/host/way_back.hpp"

#include "filter/descriptor.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace agent {
namespace {

constexpr std::uint16_t kDiscard = 9; // any port will do: nothing is sent

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;

    SocketAddress(const filter::IpAddress &address, std::uint16_t port) {
        if (address.is_v4()) {
            auto &v4 = reinterpret_cast<sockaddr_in &>(storage);
            v4.sin_family = AF_INET;
            v4.sin_port = htons(port);
            std::memcpy(&v4.sin_addr, address.bytes.data(), sizeof v4.sin_addr);
            size = sizeof v4;
        } else {
            auto &v6 = reinterpret_cast<sockaddr_in6 &>(storage);
            v6.sin6_family = AF_INET6;
            v6.sin6_port = htons(port);
            std::memcpy(&v6.sin6_addr, address.bytes.data(), sizeof v6.sin6_addr);
            size = sizeof v6;
        }
    }
    const sockaddr *get() const { return reinterpret_cast<const sockaddr *>(&storage); }
};

// A datagram socket that is connected looks for a route, and sends nothing. 0: there is one, or the kernel cannot be asked;
// otherwise the error. A blackhole is an invalid argument to the kernel.
int error_of_route(const Connection &client) {
    const SocketAddress from(client.local, 0), to(client.remote, kDiscard);
    const filter::Descriptor any(socket(from.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!any || bind(any.get(), from.get(), from.size) != 0 || connect(any.get(), to.get(), to.size) == 0) return 0;
    return errno;
}

std::optional<std::string> no_way_back(const std::vector<Connection> &clients, bool v4) {
    std::optional<std::string> first;
    for (const Connection &client : clients) {
        if (client.remote.is_v4() != v4) continue;
        const int error = error_of_route(client);
        if (error != ENETUNREACH && error != EHOSTUNREACH && error != EACCES && error != EINVAL) return std::nullopt;
        if (!first) first = "there is no route to " + filter::to_string(client.remote) + ": " + std::strerror(error);
    }
    return first;
}

} // namespace

std::optional<std::string> no_way_back(const std::vector<Connection> &clients) {
    const auto v4 = no_way_back(clients, true);
    return v4 ? v4 : no_way_back(clients, false);
}

} // namespace agent
