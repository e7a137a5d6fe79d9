// SPDX-License-Identifier: Apache-2.0
#include "agent/health/listeners.hpp"

#include <algorithm>
#include <stdexcept>

namespace agent {
namespace {

constexpr int kMostSlices = 1000; // 500,000 sockets

bool takes(const Listener &listener, const filter::IpAddress &address) {
    if (listener.address == address) return true;
    const bool any = std::ranges::all_of(listener.address.bytes, [](auto byte) { return byte == 0; });
    if (!any) return false;
    const bool v4 = listener.address.is_v4();
    return v4 == address.is_v4() || (!v4 && !listener.v6_only);
}

const std::vector<filter::IpAddress> &addresses_of(const RuleConfig &rule,
                                                   const std::vector<filter::IpAddress> &virtual_ips) {
    return rule.virtual_ips.empty() ? virtual_ips : rule.virtual_ips;
}

// A port of the rule at which one of them takes what comes to the address by the interface.
std::optional<std::uint16_t> port_at(const std::vector<Listener> &listeners, const RuleConfig &rule,
                                     const filter::IpAddress &address, int interface) {
    for (const Listener &listener : listeners)
        if (listener.port >= rule.first_port && listener.port <= rule.last_port &&
            (listener.interface == 0 || listener.interface == interface) && takes(listener, address))
            return listener.port;
    return std::nullopt;
}

} // namespace

// The kernel answers while it is asked, so there is nothing to wait for.
std::vector<Listener> list_listeners() {
    SocketDump dump(SocketDump::Of::listeners);
    std::vector<Listener> found;
    const auto parse = [&found](auto datagram, auto request) {
        return parse_listeners(datagram, request, found);
    };
    for (int slice = 0; slice < kMostSlices; ++slice) {
        const Dump state = dump.read(parse);
        if (state == Dump::done) return found;
        if (state == Dump::failed) break;
    }
    throw std::runtime_error("list listening sockets: malformed reply of the kernel (inet_diag)");
}

std::optional<filter::Service> find_service(const std::vector<Listener> &listeners,
                                            const RuleConfig &rule,
                                            const std::vector<filter::IpAddress> &virtual_ips,
                                            int interface) {
    for (const filter::IpAddress &address : addresses_of(rule, virtual_ips))
        if (const auto port = port_at(listeners, rule, address, interface))
            return filter::Service{address, *port};
    return std::nullopt;
}

std::optional<filter::IpAddress> find_unserved(const std::vector<Listener> &listeners,
                                               const RuleConfig &rule,
                                               const std::vector<filter::IpAddress> &virtual_ips,
                                               int interface) {
    for (const filter::IpAddress &address : addresses_of(rule, virtual_ips))
        if (!port_at(listeners, rule, address, interface)) return address;
    return std::nullopt;
}

} // namespace agent
