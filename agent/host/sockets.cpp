// SPDX-License-Identifier: Apache-2.0
// Asking the kernel and reading what it says, a slice at a time: see the header.
#include "agent/host/sockets.hpp"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace agent {
namespace {

constexpr std::uint8_t kFamilies[] = {AF_INET, AF_INET6};
constexpr std::size_t kDatagram = 32768; // the kernel fills no more at once: about 250 sockets
constexpr int kDatagramsASlice = 2;      // about three milliseconds
constexpr std::uint32_t kConnections = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 |
                                       1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT |
                                       1 << TCP_LAST_ACK | 1 << TCP_CLOSING;

[[noreturn]] void fail(const std::string &what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
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

} // namespace agent
