// SPDX-License-Identifier: Apache-2.0
#include "agent/report/problems.hpp"

#include "agent/base/log.hpp"

namespace agent {
namespace {

struct About {
    std::string_view name;
    bool serious; // while it lasts, this node serves nothing
    std::string_view way_out;
};

// By kind, in the order in which they are shown.
constexpr std::array<About, kProblemKinds> kAbout{{
    {"filter_not_proven", true, "start nlbd again"},
    {"clients_link_lost", true, "check its cable and its switch port; the node then serves again"},
    {"clients_path_dead", true,
     "check its switch port and VLAN; the node serves again when it is part of that network"},
    {"host_unfit", true, "correct that; the node then serves again"},
    {"beats_not_sent", true, "correct that; the node then serves again"},
    {"beats_not_heard", true, "take it out, or name the other in [heartbeat] interfaces"},
    {"listening", true, "none is needed: it serves again after dead_after_ms, or when it hears another node"},
    {"beats_filtered", false,
     "let the port of [heartbeat] in (UDP) through this host's firewall, without connection tracking"},
    {"heartbeat_interface_unusable", false,
     "give it what it lacks, or take it out of [heartbeat] interfaces"},
    {"address_not_own", false,
     "correct address of this [[node]] and reload, or give the interface that address (ip address add)"},
    {"address_not_reached", false,
     "correct address of that [[node]] and reload, or give a heartbeat interface an address in the same network"},
    {"group_not_heard", false,
     "let the network deliver multicast, which carries clients' frames as well; or delivery = \"forward\" under [cluster]"},
    {"host_not_seen", false,
     "see what keeps its lock of all interfaces: a driver that hangs (dmesg), or a tool that changes many interfaces"},
    {"monitor_ended", false, "start nlbd again, and see what ended that process (dmesg)"},
    {"no_way_back", false, "put back the route or the address that answers to clients need (ip route, ip address)"},
    {"virtual_ip_elsewhere", false, "remove it there"},
    {"virtual_ip_claimed", false, "find that machine, and take the address from it"},
    {"peers_lost_together", false,
     "check the switch between: one that snoops IGMP and MLD needs a querier, or a group of "
     "224.0.0.0/24; or give each [[node]] its address"},
    {"datapath_stepped_down", false,
     "remove the cause and start nlbd again, or name the datapath in the configuration"},
    {"commands_not_heard", false,
     "see what else uses it (ss -ltnp), or choose another: [control] port; the agent tries again each second"},
    {"metrics_not_served", false,
     "see what else uses it (ss -ltnp), or choose another: [metrics] listen; the agent tries again each second"},
    {"interface_not_locked", false, "end that process, and start nlbd again"},
    {"restart_needed", false, "stop nlbd on this node and start it, one node after another"},
    {"not_announced", false, "correct that; the agent tries again each second"},
    {"not_listed", true,
     "type systemctl disable --now nlbd here; or list this node in the configuration again, nlbctl reload on the "
     "others, then here"},
    {"electorate_not_kept", false, "make room, or check that disk; the agent tries again each second"},
}};

const About &about(ProblemKind kind) { return kAbout[static_cast<std::size_t>(kind)]; }

} // namespace

std::string_view to_string(ProblemKind kind) { return about(kind).name; }

void Problems::set(ProblemKind kind, const std::optional<std::string> &text,
                   const std::string &way_out) {
    std::optional<Problem> &present = present_[static_cast<std::size_t>(kind)], next;
    if (text) next = {*text, way_out.empty() ? std::string(about(kind).way_out) : way_out};
    if (next == present) return;
    const std::string name = " (" + std::string(about(kind).name) + ")";
    if (!next) log::info("problem: over: " + present->text + name);
    present = next;
    if (!present) return;
    const std::string line = "problem: " + present->text + "; " + present->way_out + name;
    about(kind).serious ? log::error(line) : log::warn(line);
}

std::string Problems::why_not_serving() const {
    for (std::size_t i = 0; i < kProblemKinds; ++i)
        if (present_[i] && kAbout[i].serious) return present_[i]->text + "; " + present_[i]->way_out;
    return {};
}

std::string Problems::text(ProblemKind kind) const {
    const auto &present = present_[static_cast<std::size_t>(kind)];
    return present ? present->text + "; " + present->way_out : "";
}

Json Problems::list() const {
    Json list = Json::array();
    for (std::size_t i = 0; i < kProblemKinds; ++i)
        if (present_[i])
            list.push_back({{"name", kAbout[i].name},
                            {"text", present_[i]->text},
                            {"way_out", present_[i]->way_out},
                            {"serious", kAbout[i].serious}});
    return list;
}

} // namespace agent
