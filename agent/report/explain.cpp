// SPDX-License-Identifier: Apache-2.0
// Nothing is computed a second time: rule, bucket and verdict come from the filter, the owner from
// the table that was installed.
#include "agent/report/explain.hpp"

#include "agent/base/endpoint.hpp"
#include "agent/report/probe_frame.hpp"
#include "filter/descriptor.hpp"

#include <algorithm>
#include <sys/socket.h>

namespace agent {
namespace {

struct Flow {
    Protocol transport;
    Endpoint from, to;
    TcpFlags flags;
};

constexpr std::string_view kUsage =
    "explain: expected tcp or udp, SRC:PORT and VIP:PORT, and for tcp syn or ack";

TcpFlags parse_flags(const std::vector<std::string> &args) {
    if (args.size() < 4) return TcpFlags::syn;
    if (args[0] != "tcp" || (args[3] != "syn" && args[3] != "ack"))
        throw Failed(std::string(kUsage));
    return args[3] == "ack" ? TcpFlags::ack : TcpFlags::syn;
}

Flow parse(const std::vector<std::string> &args, const Config &config) {
    if (args.size() < 3 || args.size() > 4 || (args[0] != "tcp" && args[0] != "udp"))
        throw Failed(std::string(kUsage));
    const TcpFlags flags = parse_flags(args);
    const auto from = parse_endpoint(args[1]), to = parse_endpoint(args[2]);
    if (!from || !to || from->address.family != to->address.family)
        throw Failed(
            "explain: expected two addresses of one family, as 192.0.2.1:80 or [fd00::1]:80");
    if (!std::ranges::count(config.virtual_ips, to->address))
        throw Failed("explain: " + filter::to_string(to->address) +
                     " is not a virtual IP of cluster " + config.cluster_name);
    return {args[0] == "tcp" ? Protocol::tcp : Protocol::udp, *from, *to, flags};
}

// This host's own packets to a virtual IP stay inside. A host that can bind an address has it.
bool is_of_this_host(const filter::IpAddress &ip) {
    const SocketAddress address({ip, 0});
    const filter::Descriptor any(socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return bind(any.get(), address.get(), address.size()) == 0;
}

// Everything that the answer is made of.
struct Query {
    const Config &config;
    const Node &node;
    const heartbeat::Status status;
    const filter::Verdict verdict;
    heartbeat::Time now;
    bool own; // asked by this host itself

    bool covered() const { return verdict.rule >= 0; }
    std::size_t rule() const {
        return covered() ? static_cast<std::size_t>(verdict.rule) : config.rules.size();
    }
    bool disabled() const { return covered() && config.rules[rule()].mode == RuleMode::disabled; }
    unsigned bucket() const { return static_cast<unsigned>(std::max(verdict.bucket, 0)); }
    // As the node last said of itself.
    bool unhealthy(heartbeat::NodeId id) const {
        const auto peer = std::ranges::find(status.nodes, id, &heartbeat::PeerStatus::id);
        return covered() && peer != status.nodes.end() && peer->healthy &&
               !(*peer->healthy >> rule() & 1);
    }
    // No member that could serve finds the service healthy, and there are some.
    bool all_unhealthy() const {
        std::size_t able = 0, without = 0;
        for (const heartbeat::Member &member : status.view.members) {
            able += member.weight > 0;
            without += member.weight > 0 && unhealthy(member.id);
        }
        return able > 0 && able == without;
    }
    heartbeat::NodeId owner() const { return node.serving().owner(rule(), bucket()); }
    bool in_group(const filter::GroupSet &groups) const {
        const unsigned group = bucket() / filter::kBucketsPerGroup;
        return verdict.bucket >= 0 && (groups[group / 64] >> group % 64 & 1);
    }
};

// How the owner was found.
const char *choice(const Query &about) {
    if (about.disabled()) return "rule_disabled";
    if (about.owner() == heartbeat::kNoNode) return "no_eligible_node";
    if (!about.covered()) return "default_host";
    const RuleConfig &rule = about.config.rules[about.rule()];
    if (rule.mode == RuleMode::multiple) return "highest_score";
    return std::ranges::count(rule.priority, heartbeat::index(about.owner())) ? "priority"
                                                                              : "lowest_id";
}

// Also what stands in the owner's way now, or in this node's.
Json why(const Query &about) {
    Json codes = Json::array({choice(about)});
    if (about.status.view.number.term != 0 && !about.status.installed)
        codes.push_back("view_not_installed");
    if (about.node.lease_until() <= about.now) codes.push_back("no_lease");
    if (about.unhealthy(about.node.self())) codes.push_back("unhealthy");
    if (about.all_unhealthy()) codes.push_back("all_unhealthy");
    if (about.own) codes.push_back("own_address");
    if (about.in_group(about.node.guarded())) codes.push_back("guarded");
    if (about.in_group(about.node.lingering().groups())) codes.push_back("lingering");
    return codes;
}

// Why a node is not a candidate; null when it is one.
Json why_left_out(const Query &about, const heartbeat::PeerStatus &peer) {
    const heartbeat::Member *member = about.status.view.find(peer.id);
    if (about.disabled()) return "the rule is disabled";
    if (about.node.serving().weight(about.rule(), peer.id) > 0) return nullptr;
    if (!peer.reason.empty()) return peer.reason;
    if (!member) return "not in the view";
    if (member->weight == 0) return "its weight is 0";
    if (!about.covered()) return "its weight is 0";
    const auto &weights = about.config.rules[about.rule()].weights;
    const auto weight = weights.find(static_cast<std::uint8_t>(heartbeat::index(peer.id)));
    if (weight != weights.end() && weight->second == 0) return "its weight in this rule is 0";
    return about.unhealthy(peer.id) ? "unhealthy there" : "out of service there by command";
}

Json candidates(const Query &about) {
    Json nodes = Json::array();
    for (const heartbeat::PeerStatus &peer : about.status.nodes) {
        const auto named =
            std::ranges::find(about.config.nodes, heartbeat::index(peer.id), &NodeConfig::id);
        nodes.push_back({{"id", named->id},
                         {"name", named->name},
                         {"weight", about.node.serving().weight(about.rule(), peer.id)},
                         {"left_out", why_left_out(about, peer)}});
    }
    return nodes;
}

// A frame that has come to several machines is not sent on: where that is done, it is to one's.
filter::MacAddress mac_of_frames(const Config &config) {
    constexpr filter::MacAddress one = {0x02, 0, 0, 0, 0, 2};
    return config.delivery == Delivery::forward ? one : cluster_mac(config);
}

} // namespace

Json explain(const std::vector<std::string> &args, const Config &config, Node &node,
             filter::Datapath &datapath, heartbeat::Time now) {
    const Flow flow = parse(args, config);
    const auto frame =
        probe_frame(flow.transport, flow.from, flow.to, mac_of_frames(config), flow.flags);
    const Query about{config,
                     node,
                     node.status(now),
                     datapath.judge(frame),
                     now,
                     is_of_this_host(flow.from.address)};
    const auto named =
        std::ranges::find(config.nodes, heartbeat::index(about.owner()), &NodeConfig::id);
    const bool owned = named != config.nodes.end();
    const RuleConfig *rule = about.covered() ? &config.rules[about.rule()] : nullptr;
    return {{"rule", rule ? Json(rule->name) : Json()},
            {"bucket", about.verdict.bucket < 0 ? Json() : Json(about.verdict.bucket)},
            {"owner", owned ? Json(named->id) : Json()},
            {"owner_name", owned ? Json(named->name) : Json()},
            {"why", why(about)},
            {"verdict", about.verdict.drop ? "drop" : "pass"},
            {"reason", about.verdict.reason},
            {"protocol", args[0]},
            {"source", args[1]},
            {"destination", args[2]},
            {"flags", args[0] == "udp" ? Json() : flow.flags == TcpFlags::ack ? "ack" : "syn"},
            {"mode", rule ? Json(to_string(rule->mode)) : Json()},
            {"affinity", to_string(rule ? rule->affinity : filter::Affinity::single)},
            {"node", heartbeat::index(node.self())},
            {"candidates", candidates(about)}};
}

} // namespace agent
