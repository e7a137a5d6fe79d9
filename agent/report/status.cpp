// SPDX-License-Identifier: Apache-2.0
// One function for each part of the contract. Unknown values are null, never left out.
#include "agent/report/status.hpp"

#include "agent/base/clock.hpp"
#include "agent/config/words.hpp"
#include "agent/orders/reload.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace agent {
namespace {

Json text_or_null(const std::string &text) { return text.empty() ? Json() : Json(text); }

template <class Number>
Json number_or_null(const std::optional<Number> &number) {
    return number ? Json(*number) : Json();
}

double rounded(double share) { return std::round(share * 1000) / 1000; }

// "view 3.7: web3 removed (not heard for 412 ms) (leader=web2)" without what stands beside it in the status.
std::string cause(const std::string &note) {
    const std::size_t begin = note.find(": "), end = note.rfind(" (leader=");
    if (begin == std::string::npos || end == std::string::npos || end < begin) return note;
    return note.substr(begin + 2, end - begin - 2);
}

Json view_part(const heartbeat::Status &status) {
    const bool known = status.leader != heartbeat::kNoNode;
    return {{"term", status.view.number.term},
            {"number", status.view.number.number},
            {"leader", known ? Json(heartbeat::index(status.leader)) : Json()},
            {"installed", status.installed}};
}

// Of the view; null: none since the agent's start.
Json last_change(const StatusSources &sources, heartbeat::Time now) {
    const auto &events = sources.node.events().events();
    const auto newest = std::find_if(events.rbegin(), events.rend(), [](const NodeEvent &event) {
        return event.note.kind == heartbeat::Note::Kind::view;
    });
    if (newest == events.rend()) return nullptr;
    return {{"ago_ms", std::chrono::duration_cast<std::chrono::milliseconds>(now - newest->at).count()},
            {"cause", cause(newest->note.text)}};
}

std::string draining(const std::optional<std::uint64_t> &left) {
    if (!left) return "draining";
    return "draining, " + std::to_string(*left) +
           (*left == 1 ? " connection left" : " connections left");
}

std::optional<std::uint64_t> connections(const StatusSources &sources, std::size_t table) {
    if (!sources.census) return std::nullopt;
    return sources.census->connections[table];
}

// A right to serve that ran out: since when is what one compares with the log.
void say_since_when(heartbeat::Status &status, heartbeat::Time now) {
    for (heartbeat::PeerStatus &peer : status.nodes) {
        if (peer.state != heartbeat::NodeState::fenced) continue;
        const std::string why = peer.reason.empty() ? "" : ", " + peer.reason;
        peer.reason = "fenced since " + local_time(now - peer.since) + why;
        if (peer.heard_ago == heartbeat::Duration{0}) status.reason = peer.reason; // this node
    }
}

Json node_reason(const StatusSources &sources, const heartbeat::Status &status) {
    if (std::string why = sources.problems.why_not_serving(); !why.empty()) return why;
    if (status.state == heartbeat::NodeState::draining) {
        const auto &census = sources.census;
        return draining(census ? std::optional(census->total()) : std::nullopt);
    }
    return text_or_null(status.reason);
}

Json peer_reason(const heartbeat::PeerStatus &peer) {
    if (peer.state == heartbeat::NodeState::draining && peer.connections)
        return draining(*peer.connections);
    return text_or_null(peer.reason);
}

// Names of the rules whose service does not work on a node, as it last said.
Json unhealthy_rules(const Config &config, const heartbeat::PeerStatus &peer) {
    Json names = Json::array();
    for (std::size_t i = 0; peer.healthy && i < config.rules.size(); ++i)
        if (!(*peer.healthy >> i & 1)) names.push_back(config.rules[i].name);
    return names;
}

Json member(const StatusSources &sources, const Json &reason_here,
            const heartbeat::PeerStatus &peer, heartbeat::Time now) {
    const bool here = heartbeat::index(peer.id) == sources.self.id;
    Json heard;
    if (peer.heard_ago)
        heard = std::chrono::duration_cast<std::chrono::milliseconds>(*peer.heard_ago).count();
    if (here) heard = 0;
    const bool serves =
        peer.state == heartbeat::NodeState::active || peer.state == heartbeat::NodeState::draining;
    return {{"id", heartbeat::index(peer.id)},
            {"name", name_of(sources.config, peer.id)},
            {"state", heartbeat::to_string(peer.state)},
            {"reason", here ? reason_here : peer_reason(peer)},
            {"weight", peer.weight},
            {"share", serves ? rounded(sources.node.serving().share(peer.id)) : 0.0},
            {"last_heard_ms", heard},
            {"since", peer.since == heartbeat::Time{} ? Json() : Json(wall_time(now - peer.since))},
            {"unhealthy_rules", unhealthy_rules(sources.config, peer)}};
}

using RuleCounters = std::vector<std::vector<filter::Counter>>;

// Of one table: those that were let in, and those that were dropped, most of them other nodes'; and
// of each, by reason, those that there were.
Json packets(const RuleCounters &counters, std::size_t table) {
    if (table >= counters.size()) return nullptr;
    std::uint64_t taken = 0, dropped = 0;
    Json reasons{{"taken", Json::object()}, {"dropped", Json::object()}};
    for (const filter::Counter &counter : counters[table]) {
        (counter.drop ? dropped : taken) += counter.packets;
        reasons[counter.drop ? "dropped" : "taken"][std::string(counter.reason)] = counter.packets;
    }
    return {{"taken", taken}, {"dropped", dropped}, {"reasons", std::move(reasons)}};
}

Json uncovered(const StatusSources &sources, unsigned buckets, const RuleCounters &packets_of) {
    const std::size_t table = sources.config.rules.size();
    const heartbeat::NodeId owner = sources.node.serving().owner(table, 0);
    return {{"owner", owner == heartbeat::kNoNode ? Json() : Json(heartbeat::index(owner))},
            {"buckets", buckets},
            {"packets", packets(packets_of, table)}};
}

// Why this node serves nothing of a rule, or should not; null when all is well.
Json rule_reason(const StatusSources &sources, const heartbeat::Status &status,
                 const Json &reason_here, std::size_t index, unsigned buckets,
                 const std::string &unhealthy) {
    const RuleConfig &rule = sources.config.rules[index];
    if (rule.mode == RuleMode::disabled) return "mode is disabled";
    const auto order = sources.orders.rule(rule.name);
    if (order == RuleOrder::disabled) return "disabled by command";
    if (order == RuleOrder::draining) return draining(connections(sources, index));
    if (!reason_here.is_null()) return reason_here;
    if (!unhealthy.empty())
        return "unhealthy: " + unhealthy + (buckets > 0 ? " (served: no node is healthy)" : "");
    if (buckets > 0) return nullptr;
    const heartbeat::NodeId owner = sources.node.serving().owner(index, 0);
    if (owner == heartbeat::kNoNode) return "no node is eligible";
    if (owner == heartbeat::NodeId{sources.self.id})
        return "view " + std::to_string(status.view.number.term) + "." +
               std::to_string(status.view.number.number) + " is not installed yet";
    if (rule.mode == RuleMode::single) return name_of(sources.config, owner) + " serves it alone";
    return "the other nodes own all buckets";
}

std::string_view rule_state(const RuleConfig &rule, const Orders &orders) {
    if (rule.mode == RuleMode::disabled) return to_string(RuleOrder::disabled);
    const auto order = orders.rule(rule.name);
    return order ? to_string(*order) : kEnabled;
}

// How many buckets of a rule each node owns, by ascending id; buckets without an owner are not listed.
Json owners(const StatusSources &sources, std::size_t index) {
    Json result = Json::array();
    const Serving::Owned &owned = sources.node.serving().owned(index);
    for (const NodeConfig &node : sources.config.nodes)
        if (owned[node.id] > 0)
            result.push_back({{"id", node.id}, {"name", node.name}, {"buckets", owned[node.id]}});
    return result;
}

Json rule(const StatusSources &sources, const heartbeat::Status &status, const Json &reason_here,
          std::size_t index, unsigned buckets, const RuleCounters &packets_of,
          heartbeat::Time now) {
    const std::string unhealthy = sources.health.reason(index, now);
    const RuleConfig &config = sources.config.rules[index];
    return {{"name", config.name},
            {"protocol", to_string(config.protocol)},
            {"ports", ports_text(config)},
            {"mode", to_string(config.mode)},
            {"affinity", to_string(config.affinity)},
            {"state", rule_state(config, sources.orders)},
            {"healthy", unhealthy.empty()},
            {"buckets", buckets},
            {"reason", rule_reason(sources, status, reason_here, index, buckets, unhealthy)},
            {"connections", number_or_null(connections(sources, index))},
            {"packets", packets(packets_of, index)},
            {"health", sources.health.report(index, now)},
            {"when_all_down", kWhenAllDown[static_cast<std::size_t>(config.when_all_down)]},
            {"owners", owners(sources, index)}};
}

// On the virtual IPs; and where connections of buckets that have moved may still be.
Json connections(const StatusSources &sources) {
    unsigned groups = 0;
    for (const std::uint64_t word : sources.node.lingering().groups())
        groups += static_cast<unsigned>(std::popcount(word));
    const auto &census = sources.census;
    return {{"total", census ? Json(census->total()) : Json()},
            {"lingering_groups", groups},
            {"lingering", census ? Json(census->lingering) : Json()}};
}

// What holds over the configuration until it is taken back.
Json orders(const Orders &orders) {
    return {{"part", to_string(orders.part)},
            {"suspended", orders.suspended},
            {"weight", number_or_null(orders.weight)}};
}

Json commands(const StatusSources &sources) {
    Json counters = sources.commands.counters();
    counters.update(sources.callers);
    return counters;
}

Json counters(const filter::Datapath &datapath) {
    Json result = Json::object();
    for (const filter::Counter &counter : datapath.counters())
        result[std::string(counter.reason)] = counter.packets;
    return result;
}

Json beats(const StatusSources &sources) {
    const BeatCounters &counters = sources.node.beats();
    Json result{{"received", counters.received},
                {"sent", counters.sent},
                {"send_errors", sources.transport.send_errors},
                {"filtered", sources.transport.filtered},
                {"overflowed", sources.transport.overflowed}};
    for (std::size_t i = 0; i < heartbeat::kRefusals; ++i)
        result[std::string(to_string(static_cast<heartbeat::Refusal>(i)))] = counters.refused[i];
    return result;
}

Json neighbours(const NeighbourCounters &counters) {
    return {{"answered", counters.answered},
            {"ignored", counters.ignored},
            {"malformed", counters.malformed},
            {"send_errors", counters.send_errors},
            {"announced", counters.announced},
            {"claimed", counters.claimed}};
}

Json witness(const StatusSources &sources) {
    if (!sources.witness) return nullptr;
    const WitnessCounters &counters = sources.witness->counters();
    return {{"address", filter::to_string(*sources.config.witness)},
            {"asked", counters.asked},
            {"answered", counters.answered},
            {"malformed", counters.malformed},
            {"send_errors", counters.send_errors}};
}

// Where metrics and the page are.
Json web(const StatusSources &sources) {
    if (!sources.config.metrics_listen) return nullptr;
    return {{"listen", to_string(*sources.config.metrics_listen)}};
}

Json virtual_ips(const StatusSources &sources) {
    Json all = Json::array();
    for (std::size_t i = 0; i < sources.config.virtual_ips.size(); ++i) {
        const heartbeat::NodeId receiver = sources.node.serving().receiver(i);
        all.push_back({{"address", filter::to_string(sources.config.virtual_ips[i])},
                       {"receiver", receiver == heartbeat::kNoNode ? Json() : Json(heartbeat::index(receiver))}});
    }
    return all;
}

// Why routers are to send nothing here; null: they may.
Json not_announced_because(const StatusSources &sources, const heartbeat::Status &status, const Json &reason_here) {
    if (sources.announcement->announced()) return nullptr;
    if (!reason_here.is_null()) return reason_here;
    const heartbeat::Member *self = status.view.find(sources.node.self());
    if (self != nullptr && self->weight == 0) return "its weight is 0";
    const std::string why = sources.problems.text(ProblemKind::not_announced);
    return why.empty() ? "about to begin" : why;
}

Json announce(const StatusSources &sources, const heartbeat::Status &status, const Json &reason_here, heartbeat::Time now) {
    if (sources.announcement == nullptr) return nullptr;
    const heartbeat::Time since = sources.announcement->since();
    return {{"device", kAnnounceDevice},
            {"announced", sources.announcement->announced()},
            {"since", since == heartbeat::Time{} ? Json() : Json(wall_time(now - since))},
            {"reason", not_announced_because(sources, status, reason_here)}};
}

// Packets sent on to each of the other nodes; with flooding none.
Json sent_on(const StatusSources &sources) {
    Json all = Json::array();
    std::vector<std::uint64_t> sent = sources.datapath.sent();
    sent.resize(heartbeat::kMaxNodes + 1);
    for (const NodeConfig &node : sources.config.nodes)
        if (node.id != sources.self.id)
            all.push_back({{"id", node.id}, {"name", node.name}, {"packets", sent[node.id]}});
    return all;
}

// Null with partition = "serve", and before it is known.
Json electorate(const Config &config, const heartbeat::Electorate &electorate) {
    if (!electorate.known()) return nullptr;
    const auto names = [&](heartbeat::NodeBits nodes) {
        Json list = Json::array();
        for (std::uint8_t id = 1; id <= heartbeat::kMaxNodes; ++id)
            if (nodes & heartbeat::bit(heartbeat::NodeId{id})) list.push_back(name_of(config, heartbeat::NodeId{id}));
        return list;
    };
    return {{"nodes", names(electorate.nodes)}, {"former", names(electorate.former)}};
}

} // namespace

Json status(const StatusSources &sources, heartbeat::Time now) {
    heartbeat::Status status = sources.node.status(now);
    say_since_when(status, now);
    const std::vector<unsigned> buckets = sources.node.serving().buckets();
    const RuleCounters packets_of = sources.datapath.rule_counters();
    const filter::Mode mode = sources.datapath.mode(); // once: the kernel is asked for it
    const Json reason = node_reason(sources, status);
    Json members = Json::array(), rules = Json::array();
    Json reload = reloading(sources.config, status);
    reload["staged"] = status.staged;
    for (const heartbeat::PeerStatus &peer : status.nodes)
        members.push_back(member(sources, reason, peer, now));
    for (std::size_t i = 0; i < sources.config.rules.size(); ++i)
        rules.push_back(rule(sources, status, reason, i, buckets[i], packets_of, now));
    return {{"cluster", sources.config.cluster_name},
            {"node", {{"id", sources.self.id}, {"name", sources.self.name}}},
            {"state", heartbeat::to_string(status.state)},
            {"reason", reason},
            {"view", view_part(status)},
            {"last_change", last_change(sources, now)},
            {"datapath",
             {{"kind", sources.datapath.kind()},
              {"mode", filter::to_string(mode)},
              {"interface", sources.interface},
              {"memory_put_back", sources.node.times_put_right()}}},
            {"members", members},
            {"rules", rules},
            {"counters", counters(sources.datapath)},
            {"beats", beats(sources)},
            {"neighbours", neighbours(sources.neighbours)},
            {"commands", commands(sources)},
            {"connections", connections(sources)},
            {"witness", witness(sources)},
            {"uncovered", uncovered(sources, buckets.back(), packets_of)},
            {"orders", orders(sources.orders)},
            {"reload", reload},
            {"electorate", electorate(sources.config, status.electorate)},
            {"web", web(sources)},
            {"delivery", kDeliveries[static_cast<std::size_t>(sources.config.delivery)]},
            {"virtual_ips", virtual_ips(sources)},
            {"sent_on", sent_on(sources)},
            {"announce", announce(sources, status, reason, now)},
            {"problems", sources.problems.list()}};
}

} // namespace agent
