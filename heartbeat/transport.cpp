// SPDX-License-Identifier: Apache-2.0
//
// Plain UDP, because a late beat is worse than a lost one: a reliable transport would hold back the
// fresh beats behind the one that it repairs. Each socket is bound to its interface, so that a beat
// is heard where it came in and sent where it is meant to go, whatever the routing table says.
#include "heartbeat/transport.hpp"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace heartbeat {
namespace {

constexpr int kReceiveBuffer =
    1 << 20; // bytes: 32 nodes at 100 beats a second, with seconds to spare

[[noreturn]] void fail(const std::string &what) {
    throw std::runtime_error(what + ": " + std::generic_category().message(errno));
}

template <class T>
void set(int socket, int level, int option, const T &value, const std::string &what) {
    if (setsockopt(socket, level, option, &value, sizeof value) != 0) fail(what);
}

int open_socket(const std::string &interface, const sockaddr_in &target) {
    const std::string on = " on " + interface;
    const auto index = static_cast<int>(if_nametoindex(interface.c_str()));
    if (index == 0) fail("find heartbeat interface " + interface);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("open heartbeat socket");
    try {
        set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "share heartbeat port" + on);
        set(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer, "size heartbeat buffer" + on);
        if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                       static_cast<socklen_t>(interface.size() + 1)) != 0)
            fail("bind heartbeat socket" + on);
        if (bind(fd, reinterpret_cast<const sockaddr *>(&target), sizeof target) != 0)
            fail("bind heartbeat port" + on);
        ip_mreqn member{};
        member.imr_multiaddr = target.sin_addr;
        member.imr_ifindex = index;
        set(fd, IPPROTO_IP, IP_MULTICAST_IF, member, "send heartbeats" + on);
        set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, member, "join heartbeat group" + on);
        set(fd, IPPROTO_IP, IP_MULTICAST_LOOP, 0, "keep heartbeats from looping" + on);
        set(fd, IPPROTO_IP, IP_MULTICAST_TTL, 1, "keep heartbeats on the link" + on);
        set(fd, IPPROTO_IP, IP_TOS, 0xc0,
            "mark heartbeats as network control" + on); // CS6, RFC 2474
    } catch (...) {
        close(fd);
        throw;
    }
    return fd;
}

} // namespace

Transport::Transport(const std::vector<std::string> &interfaces, const std::string &group,
                     std::uint16_t port) {
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(port);
    if (inet_pton(AF_INET, group.c_str(), &target.sin_addr) != 1)
        throw std::runtime_error("use heartbeat group " + group + ": not an IPv4 address");
    target_.resize(sizeof target);
    std::memcpy(target_.data(), &target, sizeof target);
    try {
        for (const std::string &interface : interfaces)
            sockets_.push_back(open_socket(interface, target));
    } catch (...) {
        for (int fd : sockets_)
            close(fd);
        throw;
    }
}

Transport::~Transport() {
    for (int fd : sockets_)
        close(fd);
}

void Transport::send(std::span<const std::uint8_t> datagram) {
    for (int fd : sockets_) {
        const ssize_t sent =
            sendto(fd, datagram.data(), datagram.size(), MSG_DONTWAIT,
                   reinterpret_cast<const sockaddr *>(target_.data()), sizeof(sockaddr_in));
        if (sent != static_cast<ssize_t>(datagram.size())) ++send_errors_;
    }
}

std::optional<Transport::Received> Transport::receive(int descriptor,
                                                      std::span<std::uint8_t> buffer) {
    for (;;) {
        sockaddr_in source{};
        socklen_t length = sizeof source;
        const ssize_t size = recvfrom(descriptor, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                      reinterpret_cast<sockaddr *>(&source), &length);
        if (size >= 0) {
            Received received{static_cast<std::size_t>(size), {}};
            std::memcpy(received.from.data(), &source.sin_addr, received.from.size());
            return received;
        }
        if (errno != EINTR) return std::nullopt;
    }
}

} // namespace heartbeat
