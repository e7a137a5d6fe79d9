// SPDX-License-Identifier: Apache-2.0
//
// The kernel's answer: netlink messages one behind the other, each a header and what it announces
// (struct inet_diag_msg, then attributes, of which only one matters here), the last one NLMSG_DONE.
// It is read as bytes, each length checked before it is believed.
#include "agent/host/sockets.hpp"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <optional>

namespace agent {
namespace {

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

Dump parse_sockets(Bytes datagram, std::uint32_t request, std::vector<Connection> &found) {
    return parse(datagram, request, connection, found);
}

Dump parse_listeners(Bytes datagram, std::uint32_t request, std::vector<Listener> &found) {
    return parse(datagram, request, listener, found);
}

} // namespace agent
