// SPDX-License-Identifier: Apache-2.0
// What receives the packets that a test sends, and the packet that it answers to.
#pragma once

#include "packets.hpp"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

inline constexpr int kPort = 53;

// A UDP server on that port of every address, either family; device: of what comes in there alone.
struct Server {
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    explicit Server(const char *device = nullptr) {
        sockaddr_in6 any{};
        any.sin6_family = AF_INET6;
        any.sin6_port = htons(kPort);
        if (device)
            BOOST_REQUIRE(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
                                     static_cast<socklen_t>(std::strlen(device))) == 0);
        BOOST_REQUIRE(bind(fd, reinterpret_cast<sockaddr *>(&any), sizeof any) == 0);
    }
    Server(const Server &) = delete;
    ~Server() { close(fd); }

    bool received() const {
        char buffer[70000];
        return recv(fd, buffer, sizeof buffer, 0) >= 0;
    }
};

inline packets::Bytes query(bool v4, const packets::Ethernet &fields = {}) {
    using namespace packets;
    return ethernet(v4 ? ipv4({}, udp({})) : ipv6({}, udp({})), fields);
}
