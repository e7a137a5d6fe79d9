// SPDX-License-Identifier: Apache-2.0
#include "agent/host/obstacle.hpp"

#include "agent/host/interface.hpp"

#include <fstream>

namespace agent {
namespace {

std::optional<Obstacle> on_interface(const HostSettings &wish, const Interface &self) {
    const std::string name = "interface " + wish.interface;
    if (const auto master = master_of(self.index); !master.empty())
        return Obstacle{name + ": is a port of " + master + ", which takes its frames",
                        "name " + master + " instead"};
    if (!wish.cluster_mac) return std::nullopt;
    if (((*wish.cluster_mac)[0] & 1) == 0 && is_bridge(self.index))
        return Obstacle{name + ": is a bridge, which would keep the cluster's frames from the machines behind it",
                        "choose mac_mode = \"multicast\""};
    if (self.mac == wish.cluster_mac)
        return Obstacle{name + ": its own MAC address is the cluster's, " + filter::to_string(*wish.cluster_mac),
                        "give it one of its own, nlbd adds the cluster's"};
    return std::nullopt;
}

std::optional<Obstacle> without_home(const std::string &home) {
    const auto device = find_interface(home);
    const std::string name = "interface " + home;
    if (!device) return Obstacle{name + ": is missing, so nothing holds the virtual IPs", "start nlbd again"};
    if (!device->up) return Obstacle{name + ": is down, so it cannot hold virtual IPs", "ip link set " + home + " up"};
    if (home != "lo" && HostState::read_sysctl("all", "ignore_routes_with_linkdown") != 0)
        return Obstacle{name + ": net.ipv4.conf.all.ignore_routes_with_linkdown would take the virtual IPs from this host "
                               "while it is not announced",
                        "sysctl net/ipv4/conf/all/ignore_routes_with_linkdown=0"};
    return std::nullopt;
}

std::optional<Obstacle> without_ipv6(const std::string &device, const filter::IpAddress &address) {
    int disabled = 1; // no such file: IPv6 is disabled for the whole host
    std::ifstream("/proc/sys/net/ipv6/conf/" + device + "/disable_ipv6") >> disabled;
    if (disabled == 0) return std::nullopt;
    return Obstacle{"virtual IP " + filter::to_string(address) + ": IPv6 is disabled on " + device,
                    "sysctl net/ipv6/conf/" + device + "/disable_ipv6=0"};
}

} // namespace

std::optional<Obstacle> find_obstacle(const HostSettings &wish) {
    const auto self = find_interface(wish.interface);
    if (!self) return std::nullopt;
    if (auto found = on_interface(wish, *self)) return found;
    if (auto found = without_home(wish.home)) return found;
    for (const auto &address : wish.virtual_ips)
        for (const std::string &device : {wish.home, wish.interface})
            if (!address.is_v4())
                if (auto found = without_ipv6(device, address)) return found;
    return std::nullopt;
}

std::optional<Obstacle> find_misplaced(const HostSettings &wish, const HostState &state) {
    for (const auto &address : wish.virtual_ips)
        for (const auto &[device, length] : state.holders(address))
            if (device != wish.home && device != wish.entrance)
                return Obstacle{"virtual IP " + filter::to_string(address) + ": is an address of " + device + ", too",
                                "ip address delete " + filter::to_string(address) + "/" + std::to_string(length) +
                                    " dev " + device + ", and where it comes from: nlbd has it on " + wish.home};
    return std::nullopt;
}

} // namespace agent
