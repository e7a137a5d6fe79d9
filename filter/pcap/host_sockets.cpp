// SPDX-License-Identifier: Apache-2.0
#include "filter/pcap/host_sockets.hpp"

#include "filter/failure.hpp"

#include <cerrno>
#include <cstring>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>

namespace filter::pcap {

namespace {

struct Question {
    nlmsghdr header;
    inet_diag_req_v2 wanted;
};

Question question(const TcpSegment &segment, std::uint32_t number) {
    Question ask{};
    ask.header.nlmsg_len = sizeof ask;
    ask.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    ask.header.nlmsg_flags = NLM_F_REQUEST;
    ask.header.nlmsg_seq = number;
    ask.wanted.sdiag_family = segment.family == 4 ? AF_INET : AF_INET6;
    ask.wanted.sdiag_protocol = IPPROTO_TCP;
    ask.wanted.idiag_states = ~0u;
    ask.wanted.id.idiag_sport = segment.destination_port; // seen from this host
    ask.wanted.id.idiag_dport = segment.source_port;
    std::memcpy(ask.wanted.id.idiag_src, segment.destination, 16);
    std::memcpy(ask.wanted.id.idiag_dst, segment.source, 16);
    ask.wanted.id.idiag_cookie[0] = ask.wanted.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return ask;
}

// What the kernel calls the state of a request is SYN_RECV.
HostSocket of_state(std::uint8_t state) {
    if (state == TCP_LISTEN) return HostSocket::listener;
    return state == TCP_SYN_RECV ? HostSocket::request : HostSocket::connection;
}

// Nothing: it answers another question.
std::optional<HostSocket> parse(const std::uint8_t *bytes, std::size_t size, std::uint32_t number) {
    nlmsghdr header;
    if (size < sizeof header) return HostSocket::none;
    std::memcpy(&header, bytes, sizeof header);
    if (header.nlmsg_seq != number) return std::nullopt;
    inet_diag_msg found;
    if (header.nlmsg_type != SOCK_DIAG_BY_FAMILY || size < sizeof header + sizeof found)
        return HostSocket::none; // an error: there is no such socket
    std::memcpy(&found, bytes + sizeof header, sizeof found);
    return of_state(found.idiag_state);
}

} // namespace

HostSockets::HostSockets()
    : socket_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG)) {
    if (!socket_) fail("ask for TCP sockets", errno);
}

// The kernel has answered before send() returns.
HostSocket HostSockets::find(const TcpSegment &segment) {
    const Question ask = question(segment, ++asked_);
    if (send(socket_.get(), &ask, sizeof ask, 0) < 0) return HostSocket::none;
    std::uint8_t answer[1024];
    for (;;) {
        const ssize_t size = recv(socket_.get(), answer, sizeof answer, 0);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return HostSocket::none;
        if (const auto found = parse(answer, static_cast<std::size_t>(size), asked_)) return *found;
    }
}

} // namespace filter::pcap
