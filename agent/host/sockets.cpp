// SPDX-License-Identifier: Apache-2.0
// Asking the kernel and reading what it says, a slice at a time: see the header.
#include "agent/host/sockets.hpp"

#include "agent/base/failure.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace agent {
namespace {

constexpr std::uint8_t kFamilies[] = {AF_INET, AF_INET6};
constexpr std::size_t kDatagram = 32768; // the kernel fills no more at once: about 250 sockets
constexpr int kDatagramsASlice = 2;      // about three milliseconds
constexpr std::uint32_t kConnections = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 |
                                       1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT |
                                       1 << TCP_LAST_ACK | 1 << TCP_CLOSING;

// The kernel's answer: netlink messages one behind the other, each a header and what it announces
// (struct inet_diag_msg, then attributes, of which only one matters here), the last one NLMSG_DONE.
// It is read as bytes, each length checked before it is believed.
using Bytes = std::span<const std::uint8_t>;

template <class Struct>
std::optional<Struct> take(Bytes bytes) {
    if (bytes.size() < sizeof(Struct)) return std::nullopt;
    Struct value;
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

// Of a listener: whether an IPv6 socket takes IPv6 alone. Attributes: length, type, value, padding.
bool is_v6_only(Bytes attributes) {
    while (const auto attribute = take<rtattr>(attributes)) {
        if (attribute->rta_len < sizeof(rtattr) || attribute->rta_len > attributes.size())
            return false;
        if (attribute->rta_type == INET_DIAG_SKV6ONLY && attribute->rta_len > sizeof(rtattr))
            return attributes[sizeof(rtattr)] != 0;
        attributes = attributes.subspan(
            std::min<std::size_t>(RTA_ALIGN(attribute->rta_len), attributes.size()));
    }
    return false;
}

filter::IpAddress address(std::uint8_t family, const __be32 (&words)[4]) {
    filter::IpAddress address;
    std::memcpy(address.bytes.data(), words, family == AF_INET ? 4 : 16);
    if (family == AF_INET) return address;
    constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    auto &bytes = address.bytes;
    if (!std::equal(std::begin(mapped), std::end(mapped), bytes.begin())) {
        address.family = filter::IpAddress::Family::v6;
        return address;
    }
    std::copy(bytes.begin() + 12, bytes.end(), bytes.begin());
    std::fill(bytes.begin() + 4, bytes.end(), std::uint8_t{0});
    return address;
}

std::optional<Connection> connection(Bytes payload) {
    const auto socket = take<inet_diag_msg>(payload);
    if (!socket || (socket->idiag_family != AF_INET && socket->idiag_family != AF_INET6))
        return std::nullopt;
    return Connection{address(socket->idiag_family, socket->id.idiag_src),
                      address(socket->idiag_family, socket->id.idiag_dst),
                      ntohs(socket->id.idiag_sport), ntohs(socket->id.idiag_dport)};
}

std::optional<Listener> listener(Bytes payload) {
    const auto socket = take<inet_diag_msg>(payload);
    if (!socket || (socket->idiag_family != AF_INET && socket->idiag_family != AF_INET6))
        return std::nullopt;
    return Listener{address(socket->idiag_family, socket->id.idiag_src),
                    ntohs(socket->id.idiag_sport),
                    is_v6_only(payload.subspan(sizeof(inet_diag_msg))),
                    static_cast<int>(socket->id.idiag_if)};
}

// The error is a negative errno; 0 with NLMSG_DONE: all is said.
Dump ending(const nlmsghdr &header, Bytes payload) {
    const auto error = take<std::int32_t>(payload);
    if (header.nlmsg_type == NLMSG_DONE && error.value_or(0) == 0) return Dump::done;
    return Dump::failed;
}

template <class Socket>
Dump parse(Bytes datagram, std::uint32_t request, std::optional<Socket> (*read)(Bytes),
           std::vector<Socket> &found) {
    while (!datagram.empty()) {
        const auto header = take<nlmsghdr>(datagram);
        if (!header || header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size())
            return Dump::failed;
        const Bytes payload =
            datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr));
        datagram = datagram.subspan(
            std::min<std::size_t>(NLMSG_ALIGN(header->nlmsg_len), datagram.size()));
        if (header->nlmsg_seq != request) continue;
        if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
            return ending(*header, payload);
        if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) continue;
        const auto socket = read(payload);
        if (!socket) return Dump::failed;
        found.push_back(*socket);
    }
    return Dump::more;
}

} // namespace

SocketDump::SocketDump(Of what)
    : states_(what == Of::listeners ? 1 << TCP_LISTEN : kConnections),
      socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)) {
    if (!socket_) fail("open netlink socket");
    ask(kFamilies[0]);
}

void SocketDump::ask(std::uint8_t family) {
    struct {
        nlmsghdr header;
        inet_diag_req_v2 wanted;
    } message{};
    message.header.nlmsg_len = sizeof message;
    message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.header.nlmsg_seq = ++request_;
    message.wanted.sdiag_family = family;
    message.wanted.sdiag_protocol = IPPROTO_TCP;
    message.wanted.idiag_states = states_;
    if (send(socket_.get(), &message, sizeof message, 0) < 0) fail("ask for TCP sockets");
}

Dump SocketDump::next_family() {
    if (request_ == std::size(kFamilies)) return Dump::done;
    ask(kFamilies[request_]);
    return Dump::more;
}

Dump SocketDump::read(const Parse &parse) {
    std::array<std::uint8_t, kDatagram> buffer;
    for (int count = 0; count < kDatagramsASlice; ++count) {
        const ssize_t size = recv(socket_.get(), buffer.data(), buffer.size(), MSG_TRUNC);
        if (size < 0) return errno == EAGAIN || errno == EINTR ? Dump::more : Dump::failed;
        const auto length = static_cast<std::size_t>(size);
        if (length > buffer.size()) return Dump::failed;
        const Dump state = parse(std::span(buffer).first(length), request_);
        if (state == Dump::done) return next_family();
        if (state == Dump::failed) return state;
    }
    return Dump::more;
}

Dump parse_sockets(Bytes datagram, std::uint32_t request, std::vector<Connection> &found) {
    return parse(datagram, request, connection, found);
}

Dump parse_listeners(Bytes datagram, std::uint32_t request, std::vector<Listener> &found) {
    return parse(datagram, request, listener, found);
}

} // namespace agent
