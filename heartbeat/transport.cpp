// SPDX-License-Identifier: Apache-2.0
//
// Plain UDP, because a late beat is worse than a lost one: a reliable transport would hold back the
// fresh beats behind the one that it repairs. Each socket is bound to its interface, so that a beat
// is heard where it came in and sent where it is meant to go, whatever the routing table says.
//
// Without an address on its interface, an IPv4 socket would send from another interface's address or
// from 0.0.0.0, which every receiver drops: such a path stays silent.
#include "heartbeat/transport.hpp"

#include "heartbeat/wire.hpp"

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

// Switches that snoop forget a member that no querier asks, after 260 s as a rule (RFC 3376, 8.4).
constexpr Time kAnnounceEvery = std::chrono::seconds(60);
constexpr unsigned kSeveral = 4;      // beats that came in one way, and none in the other
constexpr Time kAnsweredFor = std::chrono::seconds(5);
constexpr int kFailedForGood = 8;     // sends in a row: as many intervals as make a node dead at least

// Nothing: it is of another family, or there is none.
std::optional<Address> address_of(const sockaddr *from) {
    Address address;
    if (from != nullptr && from->sa_family == AF_INET) {
        std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in *>(from)->sin_addr, 4);
        return address;
    }
    if (from == nullptr || from->sa_family != AF_INET6) return std::nullopt;
    address.v6 = true;
    std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6 *>(from)->sin6_addr, 16);
    return address;
}

// Every interface has an entry of the packet family. Addresses can have a label, as eth1:0, and a group
// of which the kernel is a member may be among them.
std::map<std::string, Transport::Look::Interface> interfaces_of_host() {
    ifaddrs *first = nullptr;
    if (getifaddrs(&first) != 0) fail("list interfaces");
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs *)> list(first, freeifaddrs);
    std::map<std::string, Transport::Look::Interface> interfaces;
    for (const ifaddrs *entry = first; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) continue;
        const std::string label = entry->ifa_name;
        if (entry->ifa_addr->sa_family == AF_PACKET) {
            Transport::Look::Interface &found = interfaces[label];
            found.index = reinterpret_cast<const sockaddr_ll *>(entry->ifa_addr)->sll_ifindex;
            found.up = (entry->ifa_flags & IFF_UP) != 0;
        } else if (const auto address = address_of(entry->ifa_addr); address && !is_group(*address)) {
            Transport::Look::Interface &found = interfaces[label.substr(0, label.find(':'))];
            found.v4 = found.v4 || !address->v6;
            const auto mask = address_of(entry->ifa_netmask);
            if (mask) found.networks.push_back({*address, mask->bytes});
        }
    }
    return interfaces;
}

} // namespace

bool Transport::Look::Interface::has(const Address &address) const {
    return std::ranges::count(networks, address, &Network::address) > 0;
}

bool Transport::Look::Interface::reaches(const Address &address) const {
    return std::ranges::any_of(networks, [&address](const Network &network) {
        bool same = network.address.v6 == address.v6;
        for (std::size_t i = 0; i < address.bytes.size(); ++i)
            same = same && ((network.address.bytes[i] ^ address.bytes[i]) & network.mask[i]) == 0;
        return same;
    });
}

Transport::Look::Interface Transport::Look::find(const std::string &name) const {
    const auto found = interfaces.find(name);
    return found == interfaces.end() ? Interface{} : found->second;
}

Transport::Transport(const std::vector<std::string> &interfaces, const Settings &settings,
                     const Addresses &addresses, Time now)
    : settings_(settings), interfaces_(interfaces) {
    for (const std::string &interface : interfaces) {
        if (if_nametoindex(interface.c_str()) == 0) fail("find heartbeat interface " + interface);
        paths_.push_back({interface, settings.group});
        paths_.push_back({interface, settings.group6});
    }
    seen_ = look(now)();
    set_addresses(addresses, now);
}

Transport::~Transport() {
    for (Path &path : paths_)
        close(path);
}

bool Transport::has_path(const std::string &interface, const Address &to) const {
    return std::ranges::any_of(paths_, [&](const Path &path) { return path.interface == interface && path.to == to; });
}

void Transport::set_addresses(const Addresses &addresses, Time now) {
    addresses_ = addresses;
    std::erase_if(paths_, [&addresses](Path &path) {
        if (heartbeat::is_group(path.to) || std::ranges::count(addresses.own, path.to)) return false;
        close(path);
        return true;
    });
    for (const std::string &interface : interfaces_)
        for (const Address &own : addresses.own)
            if (!has_path(interface, own)) paths_.push_back({interface, own});
    look_after_paths(now, {seen_.interfaces, {}});
}

void Transport::close(Path &path) {
    for (int *socket : {&path.socket, &path.urgent}) {
        if (*socket >= 0) ::close(*socket);
        *socket = -1;
    }
    path.index = path.failed = 0;
    path.dropped = path.left = 0;
    path.sends = false;
    path.wire.reset();
}

void Transport::announced(Path &path, int error, Time now) const {
    path.announced = now;
    if (error == 0) return;
    close(path);
    path.obstacle = "join heartbeat group on " + path.interface + ": " + cause(error);
}

std::function<Transport::Look()> Transport::look(Time now) const {
    std::map<int, std::pair<Target, int>> due; // socket -> group, interface
    for (const Path &path : paths_)
        if (path.socket >= 0 && heartbeat::is_group(path.to) && now - path.announced >= kAnnounceEvery)
            due[path.socket] = {group_of(path), path.index};
    return [due] {
        Look seen{interfaces_of_host(), {}};
        for (const auto &[socket, where] : due)
            seen.announced[socket] = announce(socket, where.first, where.second);
        return seen;
    };
}

// One to an address goes to one socket of all that are bound to it, so there all is one.
void Transport::open(Path &path, int index, Time now) const {
    const bool group = heartbeat::is_group(path.to);
    Inlet inlet{path.interface, index, path.to, settings_.port, settings_.cluster, group ? Takes::others : Takes::all};
    try {
        path.socket = open_socket(inlet);
        inlet.takes = Takes::urgent;
        if (group) path.urgent = open_socket(inlet);
        path.index = index;
        path.announced = now;
    } catch (const std::runtime_error &error) {
        close(path);
        path.obstacle = error.what();
    }
}

void Transport::look_after(Path &path, const Look &seen, Time now) const {
    const Look::Interface there = seen.find(path.interface);
    const bool group = heartbeat::is_group(path.to);
    const int index = group || there.has(path.to) ? there.index : 0; // 0: nothing to listen on
    if (const auto done = seen.announced.find(path.socket); done != seen.announced.end())
        announced(path, done->second, now);
    if (path.socket >= 0 && path.index != index) close(path);
    if (path.socket < 0 && index != 0) open(path, index, now);
    path.sends = path.socket >= 0 && group && there.up && (path.to.v6 ? has_ipv6_source(group_of(path)) : there.v4);
    aim(path, there);
}

void Transport::aim(Path &path, const Look::Interface &there) const {
    path.targets.clear();
    if (!path.sends) return;
    path.targets.push_back(group_of(path));
    const auto add = [&](const Address &address) {
        if (address.v6 == path.to.v6 && there.reaches(address))
            path.targets.push_back(target_of(address, settings_.port, path.index));
    };
    for (const Peer &peer : addresses_.peers)
        add(peer.address);
    for (const Answered &one : answered_)
        if (std::ranges::count(addresses_.peers, one.address, &Peer::address) == 0) add(one.address);
}

void Transport::answer(const Sender &from, Time now) {
    const Address address{from.address, from.v6};
    const auto known = std::ranges::find(answered_, address, &Answered::address);
    if (known != answered_.end()) {
        known->last = now;
        return;
    }
    if (answered_.size() >= kMaxNodes) return;
    answered_.push_back({address, now});
    for (Path &path : paths_)
        aim(path, seen_.find(path.interface));
}

void Transport::forget_answered(Time now) {
    std::erase_if(answered_, [now](const Answered &one) { return now - one.last > kAnsweredFor; });
}

// Why nothing can be sent on an interface; empty: something can. Precondition: its paths have been
// looked after.
std::string Transport::obstacle(const std::string &interface, const Look &seen) const {
    const Look::Interface there = seen.find(interface);
    if (there.index == 0) return interface + " does not exist";
    if (!there.up) return interface + " is down";
    std::string why = interface + " has neither an IPv4 nor an IPv6 link-local address";
    for (const Path &path : paths_) {
        if (path.interface != interface || !heartbeat::is_group(path.to)) continue;
        if (path.sends && path.failed < kFailedForGood) return "";
        if (path.sends || (path.socket < 0 && !path.to.v6)) why = path.obstacle;
    }
    return why;
}

void Transport::look_after(Time now, const Look &seen) {
    seen_ = seen;
    forget_answered(now);
    judge_arrivals();
    look_after_paths(now, seen);
}

void Transport::look_after_paths(Time now, const Look &seen) {
    for (Path &path : paths_)
        look_after(path, seen, now);
    obstacles_.clear();
    for (const std::string &interface : interfaces_)
        if (std::string why = obstacle(interface, seen); !why.empty())
            obstacles_.push_back(std::move(why));
    judge_addresses();
    for (Path &path : paths_)
        renew_wire(path);
    renew_descriptors();
}

// Why beats to an address of this node do not come in; nothing: they do.
std::optional<std::string> Transport::deaf_at(const Address &own) const {
    std::string why = to_string(own) + " is none of the addresses of";
    for (const Path &path : paths_) {
        if (path.to != own) continue;
        if (path.socket >= 0) return std::nullopt;
        if (seen_.find(path.interface).has(own)) return path.obstacle;
        why += (why.ends_with("of") ? " " : ", ") + path.interface;
    }
    return why;
}

void Transport::judge_addresses() {
    unheard_.clear();
    unreached_.clear();
    for (const Address &own : addresses_.own)
        if (const auto why = deaf_at(own)) unheard_.push_back(*why);
    for (const Peer &peer : addresses_.peers) {
        const bool reached = std::ranges::any_of(
            interfaces_, [&](const std::string &name) { return seen_.find(name).reaches(peer.address); });
        if (!reached) unreached_.push_back(peer.name + "'s " + to_string(peer.address));
    }
}

void Transport::listen_on_wire(bool wanted) {
    if (wanted == listens_on_wire_) return;
    listens_on_wire_ = wanted;
    for (Path &path : paths_)
        renew_wire(path);
    renew_descriptors();
}

void Transport::renew_wire(Path &path) const {
    if (!listens_on_wire_) return path.wire.reset();
    if (path.wire || path.socket < 0) return;
    try {
        path.wire = std::make_unique<Wire>(
            Inlet{path.interface, path.index, path.to, settings_.port, settings_.cluster});
    } catch (const std::runtime_error &) {
        // Beats come through the firewall, or not at all.
    }
}

void Transport::renew_descriptors() {
    descriptors_.clear();
    for (const Path &path : paths_) {
        if (path.socket >= 0) descriptors_.push_back(path.socket);
        if (path.urgent >= 0) descriptors_.push_back(path.urgent);
        if (path.wire) descriptors_.push_back(path.wire->descriptor());
    }
}

Transport::Came Transport::came(const std::string &interface) const {
    Came came;
    for (const Path &path : paths_) {
        if (path.interface != interface) continue;
        came.by_socket += path.by_socket;
        came.by_wire += path.by_wire;
        (heartbeat::is_group(path.to) ? came.to_group : came.to_address) += path.by_socket + path.by_wire;
    }
    return came;
}

void Transport::judge_arrivals() {
    filtered_.clear();
    without_group_.clear();
    for (const std::string &interface : interfaces_) {
        const Came seen = came(interface);
        if (seen.by_socket == 0 && seen.by_wire >= kSeveral) filtered_.push_back(interface);
        if (seen.to_group == 0 && seen.to_address >= kSeveral) without_group_.push_back(interface);
    }
    for (Path &path : paths_)
        path.by_socket = path.by_wire = 0;
}

void Transport::send(std::span<const std::uint8_t> datagram, bool urgent) {
    for (Path &path : paths_) {
        if (!path.sends) continue;
        const std::size_t sent = send_to_each(urgent ? path.urgent : path.socket, datagram, path.targets);
        if (sent > 0) path.failed = 0;
        if (sent == path.targets.size()) continue;
        counters_.send_errors += path.targets.size() - sent;
        if (sent > 0) continue;
        path.obstacle = "send heartbeats on " + path.interface + ": " + cause(errno);
        path.failed = std::min(path.failed + 1, kFailedForGood);
    }
}

Transport::Path &Transport::path_of(int descriptor) {
    return *std::ranges::find_if(paths_, [descriptor](const Path &path) {
        return path.socket == descriptor || path.urgent == descriptor || (path.wire && path.wire->descriptor() == descriptor);
    });
}

bool Transport::can_rest(int descriptor) {
    const Path &path = path_of(descriptor);
    if (path.wire && descriptor == path.wire->descriptor()) return !std::ranges::count(filtered_, path.interface);
    return marks_ && descriptor == path.socket && path.urgent >= 0;
}

void Transport::believed(int descriptor, bool early) {
    const Path &path = path_of(descriptor);
    if (descriptor == path.urgent)
        marks_ = true;
    else if (early && descriptor == path.socket && path.urgent >= 0)
        marks_ = false;
}

std::optional<Transport::Received> Transport::receive(int descriptor, std::span<std::uint8_t> buffer) {
    Path &path = path_of(descriptor);
    const bool by_wire = path.wire && descriptor == path.wire->descriptor();
    auto received = by_wire ? path.wire->receive(buffer) : from_socket(descriptor, buffer);
    if (!received) return received;
    ++(by_wire ? path.by_wire : path.by_socket);
    path.left += descriptor == path.urgent;
    return received;
}

// The kernel has one number for both, and for what was left to the other socket; but only a queue that is long, as nothing
// has been read since the last time, has had no room. An urgent beat that has not been read yet is counted when it is
// followed by another.
void Transport::count_drops() {
    for (Path &path : paths_) {
        std::uint32_t memory[SK_MEMINFO_VARS] = {};
        socklen_t size = sizeof memory;
        if (path.socket < 0 ||
            getsockopt(path.socket, SOL_SOCKET, SO_MEMINFO, memory, &size) != 0)
            continue;
        const std::uint32_t drops = memory[SK_MEMINFO_DROPS] - path.left;
        if (static_cast<std::int32_t>(drops - path.dropped) <= 0) continue;
        const std::uint32_t lost = drops - path.dropped;
        path.dropped = drops;
        const bool full = memory[SK_MEMINFO_RMEM_ALLOC] > memory[SK_MEMINFO_RCVBUF] / 2;
        (full ? counters_.overflowed : counters_.filtered) += lost;
    }
}

std::optional<Transport::Received> Transport::from_socket(int descriptor,
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
