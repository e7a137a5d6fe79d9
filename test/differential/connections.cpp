// SPDX-License-Identifier: Apache-2.0
#include "connections.hpp"

#include "packets.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace differential {
namespace {

using judges::Flow;

struct SocketAddress {
    sockaddr_storage bytes{};
    socklen_t size = 0;
    sockaddr *get() { return reinterpret_cast<sockaddr *>(&bytes); }
};

SocketAddress socket_address(const std::string &text, std::uint16_t port) {
    SocketAddress result;
    if (filter::parse_ip(text)->is_v4()) {
        auto *four = reinterpret_cast<sockaddr_in *>(&result.bytes);
        *four = {};
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        inet_pton(AF_INET, text.c_str(), &four->sin_addr);
        result.size = sizeof *four;
        return result;
    }
    auto *six = reinterpret_cast<sockaddr_in6 *>(&result.bytes);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    inet_pton(AF_INET6, text.c_str(), &six->sin6_addr);
    result.size = sizeof *six;
    return result;
}

void check(bool good, const char *what) {
    if (!good) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

std::uint16_t local_port(int socket) {
    SocketAddress own;
    own.size = sizeof own.bytes;
    check(getsockname(socket, own.get(), &own.size) == 0, "ask for a socket's port");
    const auto *four = reinterpret_cast<const sockaddr_in *>(&own.bytes);
    return ntohs(own.bytes.ss_family == AF_INET
                     ? four->sin_port
                     : reinterpret_cast<const sockaddr_in6 *>(&own.bytes)->sin6_port);
}

} // namespace

Connections::Connections() {
    write_file("/proc/sys/net/ipv4/tcp_synack_retries", "12"); // half open for the whole run
    for (const char *address : {"192.0.2.100", "fd00::100"})
        for (std::uint16_t port : {std::uint16_t{80}, std::uint16_t{8000}}) {
            listen_on(address, port);
            for (int i = 0; i < 4; i++)
                open(*address == 'f' ? "fd00::7" : "192.0.2.7", address, port, i % 2 == 1);
        }
    const Wire wire;
    for (std::uint16_t source_port = 30000; source_port < 30004; source_port++)
        half_open(wire, source_port % 2 == 0, source_port);
}

Connections::~Connections() {
    for (int socket : sockets_)
        close(socket);
}

int Connections::listen_on(const std::string &address, std::uint16_t port) {
    SocketAddress place = socket_address(address, port);
    const int fd = socket(place.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    check(fd >= 0, "open a socket");
    sockets_.push_back(fd);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    check(bind(fd, place.get(), place.size) == 0, "bind");
    check(listen(fd, 64) == 0, "listen");
    listeners_.emplace(*filter::parse_ip(address), port);
    return fd;
}

// The server's ends stay in the listener's queue, which is as good a place as any.
void Connections::open(const std::string &from, const std::string &to, std::uint16_t port,
                       bool close_it) {
    SocketAddress own = socket_address(from, 0), other = socket_address(to, port);
    const int fd = socket(own.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd >= 0, "open a socket");
    check(bind(fd, own.get(), own.size) == 0, "bind");
    check(connect(fd, other.get(), other.size) == 0, "connect");
    add({*filter::parse_ip(from), *filter::parse_ip(to), local_port(fd), port}, false);
    if (close_it) // the server's end waits for its program to close as well
        close(fd);
    else
        sockets_.push_back(fd);
}

void Connections::half_open(const Wire &wire, bool v4, std::uint16_t source_port) {
    using namespace packets;
    const Segment syn = tcp({.source = source_port});
    wire.send(ethernet(v4 ? ipv4({}, syn) : ipv6({}, syn)));
    const std::size_t at = v4 ? 34 : 54;
    const auto big = [at](const Frame &frame, std::size_t i) {
        return unsigned{frame[at + i]} << 8 | frame[at + i + 1];
    };
    const Frame answer = wire.receive([&](const Frame &frame) {
        return frame.size() >= at + 20 && frame[12] == (v4 ? 0x08 : 0x86) &&
               frame[v4 ? 23 : 20] == 6 && big(frame, 2) == source_port &&
               frame[at + 13] == (kSyn | kAck);
    });
    add({*filter::parse_ip(v4 ? "198.51.100.9" : "fd01::9"),
         *filter::parse_ip(v4 ? "192.0.2.100" : "fd00::100"), source_port, 80, 0,
         big(answer, 4) << 16 | big(answer, 6)},
        true);
}

void Connections::add(const Flow &flow, bool half_open) {
    flows_.push_back(flow);
    known_[{flow.source, flow.source_port, flow.destination, flow.destination_port}] = {
        half_open, flow.acknowledged};
}

bool Connections::has_listener(const Flow &packet) const {
    return listeners_.contains({packet.destination, packet.destination_port}) ||
           known_.contains(
               {packet.source, packet.source_port, packet.destination, packet.destination_port});
}

bool Connections::has_socket(const Flow &packet) const {
    const auto found = known_.find(
        {packet.source, packet.source_port, packet.destination, packet.destination_port});
    if (found == known_.end()) return false;
    const bool acknowledges =
        packet.flags & packets::kAck && packet.acknowledged == found->second.server_isn + 1;
    return !found->second.half_open || acknowledges;
}

} // namespace differential
