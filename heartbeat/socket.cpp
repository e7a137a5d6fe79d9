// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/socket.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace heartbeat {
namespace {

constexpr int kReceiveBuffer =
    1 << 20; // bytes: 32 nodes at 100 beats a second, with seconds to spare
constexpr int kNetworkControl = 0xc0, kUrgent = 0xe0; // CS6 and CS7, RFC 2474

template <class T>
void set(int socket, int level, int option, const T &value, const std::string &what) {
    if (setsockopt(socket, level, option, &value, sizeof value) != 0) fail(what);
}

// MCAST_JOIN_GROUP or MCAST_LEAVE_GROUP (RFC 3678). 0, or the error.
int change_membership(int socket, int what, const Target &group, int index) {
    group_req request{};
    request.gr_interface = static_cast<std::uint32_t>(index);
    request.gr_group = group.storage;
    const int level = group.storage.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    return setsockopt(socket, level, what, &request, sizeof request) == 0 ? 0 : errno;
}

// Classic BPF that drops what has another value there.
void require(std::vector<sock_filter> &program, std::uint16_t width, std::uint32_t at, std::uint32_t value) {
    program.push_back(BPF_STMT(static_cast<std::uint16_t>(BPF_LD | width | BPF_ABS), at));
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
}

// Likewise what is urgent, or what is not. The traffic class of IPv6 begins in the middle of a byte.
void require_urgency(std::vector<sock_filter> &program, const Inlet &inlet) {
    constexpr auto kIpHeader = static_cast<std::uint32_t>(SKF_NET_OFF);
    if (inlet.takes == Takes::all) return;
    const bool wanted = inlet.takes == Takes::urgent;
    const std::uint32_t shift = inlet.to.v6 ? 4 : 0;
    program.push_back(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kIpHeader));
    program.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfcu << shift)); // without the two bits of ECN (RFC 3168)
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(kUrgent) << shift, wanted, !wanted));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
}

// Asked by the kernel for each datagram before it is queued: what does not begin as this cluster's beats do
// (codec.hpp) costs no wake. What is shorter is dropped as well. The first 8 bytes that it sees are the UDP header.
void keep_foreign_out(int socket, const Inlet &inlet, const std::string &on) {
    constexpr std::uint32_t kMagic = 0x6e6c6264, kMagicAt = 8, kClusterAt = kMagicAt + 5;
    constexpr auto kIpHeader = static_cast<std::uint32_t>(SKF_NET_OFF);
    std::vector<sock_filter> program;
    if (!is_group(inlet.to)) require(program, BPF_B, kIpHeader + (inlet.to.v6 ? 7 : 8), kNearTtl);
    require(program, BPF_W, kMagicAt, kMagic);
    require(program, BPF_W, kClusterAt, static_cast<std::uint32_t>(inlet.cluster >> 32));
    require(program, BPF_W, kClusterAt + 4, static_cast<std::uint32_t>(inlet.cluster));
    require_urgency(program, inlet);
    program.push_back(BPF_STMT(BPF_RET | BPF_K, 0xffffffff));
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    set(socket, SOL_SOCKET, SO_ATTACH_FILTER, filter, "filter heartbeats" + on);
}

void set_options(int socket, const Inlet &inlet, const std::string &on) {
    const int index = inlet.index, importance = inlet.takes == Takes::urgent ? kUrgent : kNetworkControl;
    const std::string loop = "keep heartbeats from looping" + on;
    const std::string near = "keep heartbeats on the link" + on;
    const std::string mark = "mark heartbeats as network control" + on;
    if (inlet.to.v6) {
        set(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, index, "send heartbeats" + on);
        set(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, loop);
        set(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, near);
        set(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, kNearTtl, near);
        return set(socket, IPPROTO_IPV6, IPV6_TCLASS, importance, mark);
    }
    ip_mreqn from{};
    from.imr_ifindex = index;
    set(socket, IPPROTO_IP, IP_MULTICAST_IF, from, "send heartbeats" + on);
    set(socket, IPPROTO_IP, IP_MULTICAST_LOOP, 0, loop);
    set(socket, IPPROTO_IP, IP_MULTICAST_TTL, 1, near);
    set(socket, IPPROTO_IP, IP_TTL, kNearTtl, near);
    set(socket, IPPROTO_IP, IP_TOS, importance, mark);
}

// Throws std::runtime_error.
void prepare(int fd, const Inlet &inlet) {
    const std::string on = " on " + inlet.interface;
    const Target target = target_of(inlet.to, inlet.port, inlet.index);
    // Of a datagram to a group each socket gets a copy; one to an address is for one socket, the last that was bound.
    if (is_group(inlet.to)) set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "share heartbeat port" + on);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
        set(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer, "size heartbeat buffer" + on);
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, inlet.interface.c_str(),
                   static_cast<socklen_t>(inlet.interface.size() + 1)) != 0)
        fail("bind heartbeat socket" + on);
    keep_foreign_out(fd, inlet, on);
    if (bind(fd, target.get(), target.size) != 0)
        fail("bind heartbeat port" + (is_group(inlet.to) ? "" : " of " + to_string(inlet.to)) + on);
    if (!is_group(inlet.to)) return;
    set_options(fd, inlet, on);
    if (inlet.takes == Takes::urgent) return;
    errno = change_membership(fd, MCAST_JOIN_GROUP, target, inlet.index);
    if (errno != 0) fail("join heartbeat group" + on);
}

} // namespace

std::string cause(int error) { return std::generic_category().message(error); }

void fail(const std::string &what) { throw std::runtime_error(what + ": " + cause(errno)); }

bool is_group(const Address &address) {
    return address.v6 ? address.bytes[0] == 0xff : (address.bytes[0] & 0xf0) == 0xe0;
}

std::string to_string(const Address &address) {
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), text, sizeof text);
    return text;
}

Target target_of(const Address &to, std::uint16_t port, int index) {
    Target target;
    if (to.v6) {
        auto &address = reinterpret_cast<sockaddr_in6 &>(target.storage);
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        address.sin6_scope_id = static_cast<std::uint32_t>(index);
        std::memcpy(&address.sin6_addr, to.bytes.data(), sizeof address.sin6_addr);
        target.size = sizeof address;
    } else {
        auto &address = reinterpret_cast<sockaddr_in &>(target.storage);
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        std::memcpy(&address.sin_addr, to.bytes.data(), sizeof address.sin_addr);
        target.size = sizeof address;
    }
    return target;
}

int open_socket(const Inlet &inlet) {
    const int fd = socket(inlet.to.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail("open heartbeat socket");
    try {
        prepare(fd, inlet);
    } catch (...) {
        close(fd);
        throw;
    }
    return fd;
}

// By leaving the group and joining it again, which the kernel tells the network. A membership that was
// lost, as with IPv6 that was taken from the interface for a while, is there again.
int announce(int socket, const Target &group, int index) {
    change_membership(socket, MCAST_LEAVE_GROUP, group, index);
    return change_membership(socket, MCAST_JOIN_GROUP, group, index);
}

bool has_ipv6_source(const Target &group) {
    const int probe = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) return false;
    const bool found = connect(probe, group.get(), group.size) == 0;
    close(probe);
    return found;
}

std::size_t send_to_each(int socket, std::span<const std::uint8_t> datagram, const std::vector<Target> &targets) {
    iovec content{const_cast<std::uint8_t *>(datagram.data()), datagram.size()};
    std::vector<mmsghdr> messages(targets.size());
    for (std::size_t i = 0; i < targets.size(); ++i) {
        msghdr &header = messages[i].msg_hdr;
        header.msg_name = const_cast<sockaddr_storage *>(&targets[i].storage);
        header.msg_namelen = targets[i].size;
        header.msg_iov = &content;
        header.msg_iovlen = 1;
    }
    std::size_t sent = 0;
    for (std::size_t next = 0; next < messages.size();) {
        const int done = sendmmsg(socket, &messages[next], static_cast<unsigned>(messages.size() - next), MSG_DONTWAIT);
        const std::size_t some = done > 0 ? static_cast<std::size_t>(done) : 0;
        sent += some;
        next += some == 0 ? 1 : some; // the call ends before one that fails, and does not say so until it is the first
    }
    return sent;
}

} // namespace heartbeat
