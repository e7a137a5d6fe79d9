// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/findings.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace agent {
namespace {

struct Kind {
    std::string_view name;
    bool fault;
    std::string_view way_out;
};

constexpr std::array kKinds = std::to_array<Kind>({
    {"no_agent", true,
     "there: systemctl start nlbd; nlbctl doctor. If it runs: the network keeps the two apart, "
     "by VLAN, port isolation or a firewall"},
    {"agent_not_running", true, "systemctl start nlbd; then: nlbctl doctor"},
    {"configuration_unusable", true, "what the text says; nlbctl check FILE"},
    {"key_unusable", true, "what the text says; a new one: nlbctl keygen /etc/nlb/cluster.key"},
    {"interface_unusable", true, "ip link; name another: [cluster] interface"},
    {"kernel_unfit", true, "a kernel from 6.1, as in Debian 12; or datapath = \"pcap\""},
    {"not_root", false, "sudo nlbctl doctor"},
    {"isolated", true,
     "end port isolation or private VLANs for the nodes' ports and put them in one VLAN; on a "
     "Linux bridge: bridge link set dev PORT isolated off"},
    {"cluster_mac_learned", true,
     "clear it in the switch (bridge fdb del MAC dev PORT master; clear mac address-table "
     "dynamic), and find what has sent with it as a source (VMware: Notify Switches: No)"},
    {"cluster_mac_blocked", true,
     "on the nodes' ports let unknown addresses through (Cisco: no switchport block multicast, "
     "no switchport block unicast; Linux: bridge link set dev PORT flood on mcast_flood on)"},
    {"cluster_mac_filtered", true,
     "allow it on that port: VMware: promiscuous mode or MAC learning; Hyper-V: MAC address "
     "spoofing; macvtap: trustGuestRxFilters='yes'; or another mac_mode"},
    {"snooping_by_address", true,
     "make the nodes' ports multicast router ports (bridge link set dev PORT mcast_router 2), "
     "turn snooping off for this VLAN, or use mac_mode = \"unicast\""},
    {"group_not_delivered", true,
     "give the network a querier (ip link set BRIDGE type bridge mcast_querier 1; Cisco: ip "
     "igmp snooping querier), or turn snooping off for this VLAN"},
    {"mtu_not_carried", true,
     "raise the MTU of the switch ports and bridges between, or lower it on all nodes: ip link "
     "set dev IF mtu N"},
    {"mtu_differs", false, "ip link set dev IF mtu N, the same on all nodes"},
    {"rp_filter", false, "sysctl -w net.ipv4.conf.IF.rp_filter=2"},
    {"beats_refused", true, "copy /etc/nlb/cluster.key to that node, then start nlbd there again"},
    {"commands_not_answered", false, "open the port for commands in that node's firewall"},
    {"virtual_ip_answered", true, "ip address; take the address from that machine or interface"},
    {"virtual_ip_unanswered", true,
     "nlbctl counters: neighbours; see whether broadcasts reach the default host"},
    {"neighbour_keeps_asking", false, "give it a static entry, or use mac_mode = \"unicast\""},
    {"gateway_without_entry", true, "give it a static entry, or use mac_mode = \"unicast\""},
    {"gateway_wrong_entry", true, "clear the entry on the gateway, or make it right by hand"},
    {"service_translated", false,
     "bind the service to the host's addresses (docker: --network host), or live with what the "
     "page of limits says"},
    {"clock_differs", false, "timedatectl set-ntp true"},
    {"version_differs", false, "upgrade all nodes to one release, one after another"},
    {"configuration_differs", true, "nlbctl reload all --file /etc/nlb/cluster.toml"},
    {"not_serving", false, "nlbctl status on that node"},
    {"answer_unknown", false, "upgrade all nodes to one release"},
});

} // namespace

Finding finding(const std::string &name, std::vector<std::string> nodes, const std::string &text,
                const std::string &way_out) {
    const auto kind = std::ranges::find(kKinds, name, &Kind::name);
    if (kind == kKinds.end()) throw std::logic_error("no such finding: " + name);
    return {name, kind->fault, std::move(nodes), text,
            way_out.empty() ? std::string(kind->way_out) : way_out};
}

} // namespace agent
