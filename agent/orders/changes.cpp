// SPDX-License-Identifier: Apache-2.0
#include "agent/orders/changes.hpp"

#include "agent/orders/settings.hpp"

#include <algorithm>
#include <iterator>

namespace agent {
namespace {

constexpr const char *kTimes =
    "one node would declare another dead whose right to serve, by the other time, still runs";
constexpr const char *kUnheard =
    "a node that is away now would come back, hear none of the others and serve beside them";
constexpr const char *kMoved =
    "a node that is away now would come back, hear none of the others and serve beside them; keep a former address "
    "in the list, and take it out by another reload when all nodes are back";

std::string node(const std::string &name) { return "node \"" + name + "\""; }

// Why the list of nodes must not change, by node; nullopt: it may.
std::vector<std::string> forbidden_nodes(const Config &running, const Config &next) {
    std::vector<std::string> refused;
    bool stays = false;
    const auto listed = [](const Config &config, const NodeConfig &wanted) {
        return std::ranges::count(config.nodes, wanted.id, &NodeConfig::id) > 0;
    };
    for (const NodeConfig &one : running.nodes) {
        stays |= listed(next, one);
        const auto then = std::ranges::find(next.nodes, one.name, &NodeConfig::name);
        if (then != next.nodes.end() && then->id != one.id)
            refused.push_back(node(one.name) + ".id (its agent is node " + std::to_string(one.id) +
                              " for as long as it runs)");
    }
    if (!stays) refused.push_back("the list of nodes (no present node stays, to which the new ones could come)");
    return refused;
}

// Nodes of which no address stays.
std::vector<std::string> moved_nodes(const Config &running, const Config &next) {
    std::vector<std::string> names;
    for (const NodeConfig &node : running.nodes) {
        const auto then = std::ranges::find(next.nodes, node.id, &NodeConfig::id);
        if (node.addresses.empty() || then == next.nodes.end()) continue;
        const bool stays = std::ranges::any_of(node.addresses, [&](const filter::IpAddress &address) {
            return std::ranges::count(then->addresses, address) > 0;
        });
        if (!stays) names.push_back(agent::node(node.name) + ".address");
    }
    return names;
}

std::string mac_change(const Config &running, const Config &next) {
    const std::string former = filter::to_string(cluster_mac(running));
    std::string why = "cluster.mac (it would be " + filter::to_string(cluster_mac(next)) +
                      " instead of " + former + ", to which clients and routers still send";
    if (running.mac_mode == next.mac_mode) why += "; to keep it: mac = \"" + former + "\" under [cluster]";
    return why + ")";
}

} // namespace

std::string listed(const std::vector<std::string> &texts) {
    std::string all;
    for (const std::string &text : texts)
        all += (all.empty() ? "" : ", ") + text;
    return all;
}

std::vector<std::string> refused_changes(const Config &running, const Config &next) {
    std::vector<std::string> refused;
    const auto refuse = [&](bool changed, const std::string &key, const char *why) {
        if (changed) refused.push_back(key + " (" + why + ")");
    };
    refuse(running.cluster_name != next.cluster_name, "cluster.name", kUnheard);
    refuse(running.delivery != next.delivery, "cluster.delivery",
           "nodes with the one and the other would answer for a virtual IP with different MAC addresses");
    if (running.delivery == next.delivery && cluster_mac(running) != cluster_mac(next)) refused.push_back(mac_change(running, next));
    refuse(running.group != next.group, "heartbeat.group", kUnheard);
    refuse(running.group6 != next.group6, "heartbeat.group6", kUnheard);
    refuse(running.port != next.port, "heartbeat.port", kUnheard);
    refuse(running.interval != next.interval, "heartbeat.interval_ms", kTimes);
    refuse(running.dead_after != next.dead_after, "heartbeat.dead_after_ms", kTimes);
    refuse(running.partition != next.partition, "heartbeat.partition",
           "a majority and each part of the cluster could both serve");
    std::ranges::move(forbidden_nodes(running, next), std::back_inserter(refused));
    for (const std::string &moved : moved_nodes(running, next))
        refuse(true, moved, kMoved);
    return refused;
}

Started started_with(const Config &config, const NodeConfig &self) {
    return {clients_interface(config, self), self.datapath.value_or(config.datapath), config.announce.has_value(),
            heartbeat_interfaces(config, self)};
}

std::vector<std::string> waits_for_restart(const Started &started, const Config &next,
                                           const NodeConfig &self) {
    const Started wanted = started_with(next, self);
    std::vector<std::string> keys;
    if (wanted.interface != started.interface) keys.emplace_back("interface");
    if (wanted.datapath != started.datapath) keys.emplace_back("datapath");
    if (wanted.announces != started.announces) keys.emplace_back("announce");
    if (wanted.heartbeat_interfaces != started.heartbeat_interfaces)
        keys.emplace_back("heartbeat interfaces");
    return keys;
}

bool parts_beats(const Started &started, const Config &next, const NodeConfig &self) {
    const auto wanted = heartbeat_interfaces(next, self);
    return std::ranges::none_of(wanted, [&](const std::string &name) {
        return std::ranges::count(started.heartbeat_interfaces, name) > 0;
    });
}

} // namespace agent
