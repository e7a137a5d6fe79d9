// SPDX-License-Identifier: Apache-2.0
// Nothing is computed a second time: rule and bucket come from the filter, the owner from the table
// that was installed.
#include "agent/explain.hpp"

#include "agent/probe_frame.hpp"

#include <algorithm>

namespace agent {
namespace {

struct Flow {
    Transport transport;
    Endpoint from, to;
};

Flow parse(const std::vector<std::string> &args, const Config &config) {
    if (args.size() != 3 || (args[0] != "tcp" && args[0] != "udp"))
        throw Failed("explain: expected tcp or udp, SRC:PORT and VIP:PORT");
    const auto from = parse_endpoint(args[1]), to = parse_endpoint(args[2]);
    if (!from || !to || from->address.family != to->address.family)
        throw Failed(
            "explain: expected two addresses of one family, as 192.0.2.1:80 or [fd00::1]:80");
    if (!std::ranges::count(config.virtual_ips, to->address))
        throw Failed("explain: " + filter::to_string(to->address) +
                     " is no virtual IP of cluster " + config.cluster_name);
    return {args[0] == "tcp" ? Transport::tcp : Transport::udp, *from, *to};
}

const char *why(const Config &config, std::size_t rule, heartbeat::NodeId owner) {
    const bool uncovered = rule == config.rules.size();
    if (!uncovered && config.rules[rule].mode == RuleMode::disabled) return "rule_disabled";
    if (owner == heartbeat::kNoNode) return "no_eligible_node";
    if (uncovered) return "default_host";
    if (config.rules[rule].mode == RuleMode::multiple) return "highest_score";
    const auto &priority = config.rules[rule].priority;
    return std::ranges::count(priority, heartbeat::index(owner)) ? "priority" : "lowest_id";
}

} // namespace

Json explain(const std::vector<std::string> &args, const Config &config, Node &node,
             filter::Datapath &datapath, heartbeat::Time now) {
    const Flow flow = parse(args, config);
    const filter::Verdict verdict =
        datapath.judge(probe_frame(flow.transport, flow.from, flow.to, cluster_mac(config)));
    node.status(now); // the owners are then those of the newest view
    const bool covered = verdict.rule >= 0;
    const std::size_t rule = covered ? static_cast<std::size_t>(verdict.rule) : config.rules.size();
    const auto bucket = static_cast<unsigned>(std::max(verdict.bucket, 0));
    const heartbeat::NodeId owner = node.serving().owner(rule, bucket);
    const auto named = std::ranges::find(config.nodes, heartbeat::index(owner), &NodeConfig::id);
    const bool owned = named != config.nodes.end();
    return {{"rule", covered ? Json(config.rules[rule].name) : Json()},
            {"bucket", verdict.bucket < 0 ? Json() : Json(verdict.bucket)},
            {"owner", owned ? Json(named->id) : Json()},
            {"owner_name", owned ? Json(named->name) : Json()},
            {"why", Json::array({why(config, rule, owner)})},
            {"verdict", verdict.drop ? "drop" : "pass"},
            {"reason", verdict.reason}};
}

} // namespace agent
