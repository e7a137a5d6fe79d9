// SPDX-License-Identifier: Apache-2.0
//
// Plain UDP, because a late beat is worse than a lost one: a reliable transport would hold back the
// fresh beats behind the one that it repairs. Each socket is bound to its interface, so that a beat
// is heard where it came in and sent where it is meant to go, whatever the routing table says.
//
// Without an address on its interface, an IPv4 socket would send from another interface's address or
// from 0.0.0.0, which every receiver drops: such a path stays silent.
#include "heartbeat/transport.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <stdexcept>
#include <system_error>

namespace heartbeat {
namespace {

constexpr int kReceiveBuffer =
    1 << 20; // bytes: 32 nodes at 100 beats a second, with seconds to spare
constexpr int kNetworkControl = 0xc0; // CS6, RFC 2474
// Switches that snoop forget a member that no querier asks, after 260 s as a rule (RFC 3376, 8.4).
constexpr Time kAnnounceEvery = std::chrono::seconds(60);
constexpr int kFailedForGood = 8;     // sends in a row: as many intervals as make a node dead at least

std::string cause(int error) { return std::generic_category().message(error); }

[[noreturn]] void fail(const std::string &what) {
    throw std::runtime_error(what + ": " + cause(errno));
}

template <class T>
void set(int socket, int level, int option, const T &value, const std::string &what) {
    if (setsockopt(socket, level, option, &value, sizeof value) != 0) fail(what);
}

// An address of either family, as the socket calls take it.
struct Target {
    sockaddr_storage storage{};
    socklen_t size = 0;

    const sockaddr *get() const { return reinterpret_cast<const sockaddr *>(&storage); }
};

Target target_of(const Transport::Settings &settings, bool v6, int index) {
    Target target;
    if (v6) {
        auto &address = reinterpret_cast<sockaddr_in6 &>(target.storage);
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(settings.port);
        address.sin6_scope_id = static_cast<std::uint32_t>(index);
        target.size = sizeof address;
        if (inet_pton(AF_INET6, settings.group6.c_str(), &address.sin6_addr) == 1) return target;
        throw std::runtime_error("use heartbeat group " + settings.group6 + ": not an IPv6 address");
    }
    auto &address = reinterpret_cast<sockaddr_in &>(target.storage);
    address.sin_family = AF_INET;
    address.sin_port = htons(settings.port);
    target.size = sizeof address;
    if (inet_pton(AF_INET, settings.group.c_str(), &address.sin_addr) == 1) return target;
    throw std::runtime_error("use heartbeat group " + settings.group + ": not an IPv4 address");
}

// MCAST_JOIN_GROUP or MCAST_LEAVE_GROUP (RFC 3678). 0, or the error.
int change_membership(int socket, int what, const Target &group, int index) {
    group_req request{};
    request.gr_interface = static_cast<std::uint32_t>(index);
    request.gr_group = group.storage;
    const int level = group.storage.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    return setsockopt(socket, level, what, &request, sizeof request) == 0 ? 0 : errno;
}

// A classic BPF program, asked by the kernel for each datagram before it is queued: what does not
// begin as this cluster's beats do (codec.hpp) costs no wake. What is shorter is dropped as well. The
// first 8 bytes that it sees are the UDP header.
void keep_foreign_out(int socket, std::uint64_t cluster, const std::string &on) {
    constexpr std::uint32_t kMagic = 0x6e6c6264, kMagicAt = 8, kClusterAt = kMagicAt + 5;
    const auto high = static_cast<std::uint32_t>(cluster >> 32);
    const auto low = static_cast<std::uint32_t>(cluster);
    sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kMagicAt),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kMagic, 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kClusterAt),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kClusterAt + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const sock_fprog filter{static_cast<unsigned short>(std::size(program)), program};
    set(socket, SOL_SOCKET, SO_ATTACH_FILTER, filter, "filter heartbeats" + on);
}

void set_options(int socket, bool v6, int index, const std::string &on) {
    const std::string loop = "keep heartbeats from looping" + on;
    const std::string near = "keep heartbeats on the link" + on;
    const std::string mark = "mark heartbeats as network control" + on;
    if (v6) {
        set(socket, IPPROTO_IPV6, IPV6_MULTICAST_IF, index, "send heartbeats" + on);
        set(socket, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0, loop);
        set(socket, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, near);
        return set(socket, IPPROTO_IPV6, IPV6_TCLASS, kNetworkControl, mark);
    }
    ip_mreqn from{};
    from.imr_ifindex = index;
    set(socket, IPPROTO_IP, IP_MULTICAST_IF, from, "send heartbeats" + on);
    set(socket, IPPROTO_IP, IP_MULTICAST_LOOP, 0, loop);
    set(socket, IPPROTO_IP, IP_MULTICAST_TTL, 1, near);
    set(socket, IPPROTO_IP, IP_TOS, kNetworkControl, mark);
}

// Whether the kernel has an IPv6 address to send from: not one that it still checks for a duplicate.
bool has_ipv6_source(const Target &group) {
    const int probe = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0) return false;
    const bool found = connect(probe, group.get(), group.size) == 0;
    close(probe);
    return found;
}

} // namespace

// The interfaces of this host.
struct Transport::Host {
    struct Interface {
        int index = 0;
        bool up = false, v4 = false; // has an IPv4 address
    };
    std::map<std::string, Interface> interfaces;

    Host();
    Interface find(const std::string &name) const {
        const auto found = interfaces.find(name);
        return found == interfaces.end() ? Interface{} : found->second;
    }
};

// Every interface has an entry of the packet family. Addresses can have a label, as eth1:0, and a group
// of which the kernel is a member may be among them.
Transport::Host::Host() {
    ifaddrs *first = nullptr;
    if (getifaddrs(&first) != 0) fail("list interfaces");
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs *)> list(first, freeifaddrs);
    for (const ifaddrs *entry = first; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) continue;
        const std::string label = entry->ifa_name;
        if (entry->ifa_addr->sa_family == AF_PACKET) {
            Interface &found = interfaces[label];
            found.index = reinterpret_cast<const sockaddr_ll *>(entry->ifa_addr)->sll_ifindex;
            found.up = (entry->ifa_flags & IFF_UP) != 0;
        } else if (entry->ifa_addr->sa_family == AF_INET) {
            const auto &address = reinterpret_cast<const sockaddr_in *>(entry->ifa_addr)->sin_addr;
            if (!IN_MULTICAST(ntohl(address.s_addr)))
                interfaces[label.substr(0, label.find(':'))].v4 = true;
        }
    }
}

Transport::Transport(const std::vector<std::string> &interfaces, const Settings &settings,
                     Time now)
    : settings_(settings), interfaces_(interfaces) {
    for (const std::string &interface : interfaces) {
        if (if_nametoindex(interface.c_str()) == 0) fail("find heartbeat interface " + interface);
        paths_.push_back({interface, false});
        paths_.push_back({interface, true});
    }
    look_after(now);
}

Transport::~Transport() {
    for (Path &path : paths_)
        close(path);
}

void Transport::close(Path &path) const {
    if (path.socket >= 0) ::close(path.socket);
    path.socket = -1;
    path.index = path.failed = 0;
    path.dropped = 0;
    path.sends = false;
}

// Throws std::runtime_error.
void Transport::open(Path &path, int index) const {
    const std::string on = " on " + path.interface;
    const Target group = target_of(settings_, path.v6, index);
    path.socket =
        socket(path.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (path.socket < 0) fail("open heartbeat socket");
    path.index = index;
    const int fd = path.socket;
    set(fd, SOL_SOCKET, SO_REUSEADDR, 1, "share heartbeat port" + on);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
        set(fd, SOL_SOCKET, SO_RCVBUF, kReceiveBuffer, "size heartbeat buffer" + on);
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, path.interface.c_str(),
                   static_cast<socklen_t>(path.interface.size() + 1)) != 0)
        fail("bind heartbeat socket" + on);
    keep_foreign_out(fd, settings_.cluster, on);
    if (bind(fd, group.get(), group.size) != 0) fail("bind heartbeat port" + on);
    set_options(fd, path.v6, index, on);
    errno = change_membership(fd, MCAST_JOIN_GROUP, group, index);
    if (errno != 0) fail("join heartbeat group" + on);
}

// By leaving the group and joining it again, which the kernel tells the network. A membership that was
// lost, as with IPv6 that was taken from the interface for a while, is there again.
void Transport::announce(Path &path, Time now) const {
    const Target group = target_of(settings_, path.v6, path.index);
    change_membership(path.socket, MCAST_LEAVE_GROUP, group, path.index);
    const int error = change_membership(path.socket, MCAST_JOIN_GROUP, group, path.index);
    path.announced = now;
    if (error == 0) return;
    close(path);
    path.obstacle = "join heartbeat group on " + path.interface + ": " + cause(error);
}

void Transport::look_after(Path &path, const Host &host, Time now) const {
    const Host::Interface there = host.find(path.interface);
    if (path.socket >= 0 && path.index != there.index) close(path);
    if (path.socket < 0 && there.index != 0) {
        try {
            open(path, there.index);
            path.announced = now;
        } catch (const std::runtime_error &error) {
            close(path);
            path.obstacle = error.what();
        }
    }
    if (path.socket >= 0 && now - path.announced >= kAnnounceEvery) announce(path, now);
    path.sends = path.socket >= 0 && there.up &&
                 (path.v6 ? has_ipv6_source(target_of(settings_, true, path.index)) : there.v4);
}

// Why nothing can be sent on an interface; empty: something can. Precondition: its paths have been
// looked after.
std::string Transport::obstacle(const std::string &interface, const Host &host) const {
    const Host::Interface there = host.find(interface);
    if (there.index == 0) return interface + " does not exist";
    if (!there.up) return interface + " is down";
    std::string why = interface + " has neither an IPv4 nor an IPv6 link-local address";
    for (const Path &path : paths_) {
        if (path.interface != interface) continue;
        if (path.sends && path.failed < kFailedForGood) return "";
        if (path.sends || (path.socket < 0 && !path.v6)) why = path.obstacle;
    }
    return why;
}

void Transport::look_after(Time now) {
    const Host host;
    for (Path &path : paths_)
        look_after(path, host, now);
    obstacles_.clear();
    for (const std::string &interface : interfaces_)
        if (std::string why = obstacle(interface, host); !why.empty())
            obstacles_.push_back(std::move(why));
    descriptors_.clear();
    for (const Path &path : paths_)
        if (path.socket >= 0) descriptors_.push_back(path.socket);
}

void Transport::send(std::span<const std::uint8_t> datagram) {
    for (Path &path : paths_) {
        if (!path.sends) continue;
        const Target group = target_of(settings_, path.v6, path.index);
        const ssize_t sent = sendto(path.socket, datagram.data(), datagram.size(), MSG_DONTWAIT,
                                    group.get(), group.size);
        if (sent == static_cast<ssize_t>(datagram.size())) {
            path.failed = 0;
            continue;
        }
        ++counters_.send_errors;
        path.obstacle = "send heartbeats on " + path.interface + ": " + cause(errno);
        path.failed = std::min(path.failed + 1, kFailedForGood);
    }
}

const std::string &Transport::interface_of(int descriptor) const {
    return std::ranges::find(paths_, descriptor, &Path::socket)->interface;
}

// The kernel has one number for both; but only a queue that is long, as nothing has been read since the
// last time, has had no room.
void Transport::count_drops() {
    for (Path &path : paths_) {
        std::uint32_t memory[SK_MEMINFO_VARS] = {};
        socklen_t size = sizeof memory;
        if (path.socket < 0 ||
            getsockopt(path.socket, SOL_SOCKET, SO_MEMINFO, memory, &size) != 0)
            continue;
        const std::uint32_t lost = memory[SK_MEMINFO_DROPS] - path.dropped;
        path.dropped = memory[SK_MEMINFO_DROPS];
        const bool full = memory[SK_MEMINFO_RMEM_ALLOC] > memory[SK_MEMINFO_RCVBUF] / 2;
        (full ? counters_.overflowed : counters_.filtered) += lost;
    }
}

std::optional<Transport::Received> Transport::receive(int descriptor,
                                                      std::span<std::uint8_t> buffer) {
    for (;;) {
        sockaddr_storage source{};
        socklen_t length = sizeof source;
        const ssize_t size = recvfrom(descriptor, buffer.data(), buffer.size(), MSG_DONTWAIT,
                                      reinterpret_cast<sockaddr *>(&source), &length);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return std::nullopt;
        Received received{static_cast<std::size_t>(size), {}};
        received.from.v6 = source.ss_family == AF_INET6;
        if (received.from.v6) {
            const auto &from = reinterpret_cast<const sockaddr_in6 &>(source);
            std::memcpy(received.from.address.data(), &from.sin6_addr, sizeof from.sin6_addr);
            received.from.scope = from.sin6_scope_id;
        } else {
            const auto &from = reinterpret_cast<const sockaddr_in &>(source);
            std::memcpy(received.from.address.data(), &from.sin_addr, sizeof from.sin_addr);
        }
        return received;
    }
}

} // namespace heartbeat
