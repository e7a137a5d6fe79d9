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
    throw std::runtime_error("list listening sockets: the kernel's answer is none (inet_diag)");
}

std::optional<filter::Service> find_service(const std::vector<Listener> &listeners,
                                            const RuleConfig &rule,
                                            const std::vector<filter::IpAddress> &virtual_ips,
                                            int interface) {
    const auto &addresses = rule.virtual_ips.empty() ? virtual_ips : rule.virtual_ips;
    for (const Listener &listener : listeners) {
        if (listener.port < rule.first_port || listener.port > rule.last_port) continue;
        if (listener.interface != 0 && listener.interface != interface) continue;
        for (const filter::IpAddress &address : addresses)
            if (takes(listener, address)) return filter::Service{address, listener.port};
    }
    return std::nullopt;
}

} // namespace agent
