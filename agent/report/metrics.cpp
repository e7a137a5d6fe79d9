// SPDX-License-Identifier: Apache-2.0
// One function for each part of the status, in its order.
#include "agent/report/metrics.hpp"

#include "agent/base/version.hpp"
#include "agent/control/port.hpp"
#include "agent/orders/orders.hpp"
#include "agent/report/problems.hpp"
#include "agent/web/prometheus.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace agent {
namespace {

using Text = const std::string &;

double seconds(heartbeat::Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

std::uint64_t number(const Json &value) { return value.get<std::uint64_t>(); }
Text word(const Json &value) { return value.get_ref<const std::string &>(); }

// Every count of an object except those that are metrics of their own.
void counts(MetricsText &out, std::string_view label, const Json &counters,
            const std::vector<std::string_view> &others = {}) {
    for (const auto &[name, count] : counters.items())
        if (std::ranges::count(others, name) == 0) out.sample({{label, name}}, number(count));
}

// Of a rule, or of no rule; null: not known.
void packets(const Json &packets, auto &&sample) {
    if (packets.is_null()) return;
    for (const auto &[verdict, reasons] : packets["reasons"].items())
        for (const auto &[reason, count] : reasons.items())
            sample(MetricsText::Label{"verdict", verdict}, MetricsText::Label{"reason", reason},
                   number(count));
}

// A sample of 1 for the word that applies and of 0 for each other.
void one_hot(MetricsText &out, MetricsText::Label of, std::string_view label,
             const std::vector<std::string_view> &words, Text holds) {
    for (const std::string_view each : words)
        out.sample({of, {label, each}}, std::uint64_t{each == holds});
}

// All values of an enumeration, in words.
template <class Enum>
std::vector<std::string_view> words_up_to(Enum last) {
    std::vector<std::string_view> words;
    for (unsigned i = 0; i <= static_cast<unsigned>(last); ++i)
        words.push_back(to_string(static_cast<Enum>(i)));
    return words;
}

void add_node(MetricsText &out, const MetricsSources &sources) {
    const Json &status = sources.status, &datapath = status["datapath"];
    out.gauge("nlbd_build_info", "The version of nlbd; always 1.");
    out.sample({{"version", kVersion}}, std::uint64_t{1});
    out.gauge("nlbd_node_info", "This node and what filters its packets; always 1.");
    out.sample({{"cluster", word(status["cluster"])},
                {"node", word(status["node"]["name"])},
                {"id", status["node"]["id"].dump()},
                {"datapath", word(datapath["kind"])},
                {"mode", word(datapath["mode"])},
                {"interface", word(datapath["interface"])}},
               std::uint64_t{1});
    char digest[17];
    std::snprintf(digest, sizeof digest, "%016llx",
                  static_cast<unsigned long long>(sources.config));
    out.gauge("nlbd_configuration_info",
              "The configuration in force, by its digest, the same on all nodes; always 1.");
    out.sample({{"digest", digest}}, std::uint64_t{1});
    out.gauge("nlbd_configuration_staged",
              "1: another configuration waits until every member has it.");
    out.sample({}, std::uint64_t{status["reload"]["staged"].get<bool>()});
    out.gauge("nlbd_configuration_missing_members", "Members that have not staged it yet.");
    out.sample({}, std::uint64_t{status["reload"]["waiting_for"].size()});
}

void add_announcement(MetricsText &out, const Json &announce) {
    if (announce.is_null()) return;
    out.gauge("nlbd_announced", "1: routers hear that they may send packets here ([announce]).");
    out.sample({}, std::uint64_t{announce["announced"].get<bool>()});
}

void add_problems(MetricsText &out, const Json &problems) {
    out.gauge("nlbd_problem", "1: this node has that problem; `nlbctl status` gives the way out.");
    for (std::size_t i = 0; i < kProblemKinds; ++i) {
        const std::string_view name = to_string(static_cast<ProblemKind>(i));
        const bool present = std::ranges::any_of(
            problems, [&](const Json &problem) { return problem["name"] == name; });
        out.sample({{"name", name}}, std::uint64_t{present});
    }
}

void add_orders(MetricsText &out, const Json &orders) {
    out.gauge("nlbd_order_part", "What this node has been ordered to do in the cluster: 1.");
    for (const std::string_view part : words_up_to(Part::stop))
        out.sample({{"part", part}}, std::uint64_t{part == word(orders["part"])});
    out.gauge("nlbd_order_suspended", "1: suspended by order.");
    out.sample({}, std::uint64_t{orders["suspended"].get<bool>()});
    out.gauge("nlbd_order_weight", "The weight by order; absent: the configured one holds.");
    if (!orders["weight"].is_null()) out.sample({}, number(orders["weight"]));
}

void add_members(MetricsText &out, const Json &members, const Json &leader) {
    const auto states = words_up_to(heartbeat::NodeState::dead);
    out.gauge("nlbd_member_state", "The state of each configured node as this one sees it: 1.");
    for (const Json &member : members)
        one_hot(out, {"member", word(member["name"])}, "state", states, word(member["state"]));
    const auto each = [&](auto &&sample) {
        for (const Json &member : members)
            sample(member, MetricsText::Label{"member", word(member["name"])});
    };
    out.gauge("nlbd_leader", "1: this node considers that member the leader.");
    each([&](const Json &member, auto name) {
        out.sample({name}, std::uint64_t{member["id"] == leader});
    });
    out.gauge("nlbd_member_weight", "Weight of a node, 0 to 100.");
    each([&](const Json &member, auto name) { out.sample({name}, number(member["weight"])); });
    out.gauge("nlbd_member_share_ratio", "A node's part of the buckets of all shared rules.");
    each([&](const Json &member, auto name) { out.sample({name}, member["share"].get<double>()); });
    out.gauge("nlbd_member_last_heard_seconds",
              "Time since this node heard that one; absent: never.");
    each([&](const Json &member, auto name) {
        const Json &heard = member["last_heard_ms"];
        if (!heard.is_null()) out.sample({name}, static_cast<double>(number(heard)) / 1000);
    });
    out.gauge("nlbd_member_unhealthy_rules", "Rules whose service does not work there.");
    each([&](const Json &member, auto name) {
        out.sample({name}, std::uint64_t{member["unhealthy_rules"].size()});
    });
}

void add_view(MetricsText &out, const MetricsSources &sources) {
    const Json &view = sources.status["view"];
    out.gauge("nlbd_view_term", "Term of the view that this node knows: one for each election.");
    out.sample({}, number(view["term"]));
    out.gauge("nlbd_view_number", "Its number in that term.");
    out.sample({}, number(view["number"]));
    out.gauge("nlbd_view_installed", "1: this node serves what that view gives it.");
    out.sample({}, std::uint64_t{view["installed"].get<bool>()});
    out.counter("nlbd_view_changes_total",
                "Views that this node has applied; one with several causes is under each.");
    for (std::size_t i = 0; i < kViewCauses; ++i) {
        const auto cause = static_cast<ViewCause>(i);
        out.sample({{"cause", to_string(cause)}}, sources.view_changes.count(cause));
    }
    out.counter("nlbd_events_total", "What `nlbctl events` shows, by kind.");
    for (std::size_t i = 0; i < EventLog::kKinds; ++i) {
        const auto kind = static_cast<heartbeat::Note::Kind>(i);
        out.sample({{"kind", to_string(kind)}}, sources.events.count(kind));
    }
    out.gauge("nlbd_lease_remaining_seconds",
              "How long this node may go on serving; 0: not at all.");
    out.sample({}, std::max(0.0, seconds(sources.lease_left)));
    out.gauge("nlbd_heartbeat_interval_seconds", "As configured.");
    out.sample({}, seconds(sources.interval));
    out.gauge("nlbd_dead_after_seconds", "As configured: a node that is silent for this long is declared dead.");
    out.sample({}, seconds(sources.dead_after));
}

void add_rules(MetricsText &out, const Json &rules) {
    const auto each = [&](auto &&sample) {
        for (const Json &rule : rules)
            sample(rule, MetricsText::Label{"rule", word(rule["name"])});
    };
    out.gauge("nlbd_rule_info", "What each rule covers; always 1.");
    each([&](const Json &rule, auto name) {
        out.sample({name,
                    {"protocol", word(rule["protocol"])},
                    {"ports", word(rule["ports"])},
                    {"mode", word(rule["mode"])},
                    {"affinity", word(rule["affinity"])},
                    {"health", word(rule["health"]["type"])}},
                   std::uint64_t{1});
    });
    out.gauge("nlbd_rule_state", "Whether a rule is in service on this node: 1.");
    each([&](const Json &rule, auto name) {
        one_hot(out, name, "state",
                {kEnabled, to_string(RuleOrder::draining), to_string(RuleOrder::disabled)},
                word(rule["state"]));
    });
    out.gauge("nlbd_rule_healthy", "1: the service behind the rule works on this node.");
    each([&](const Json &rule, auto name) {
        out.sample({name}, std::uint64_t{rule["healthy"].get<bool>()});
    });
    out.gauge("nlbd_rule_buckets", "Buckets that this node serves, of 65536.");
    each([&](const Json &rule, auto name) { out.sample({name}, number(rule["buckets"])); });
    out.gauge("nlbd_rule_connections",
              "Open TCP connections on this node; absent: not counted yet.");
    each([&](const Json &rule, auto name) {
        if (!rule["connections"].is_null()) out.sample({name}, number(rule["connections"]));
    });
    out.counter("nlbd_rule_packets_total",
                "Packets of a rule that this node took, and that it dropped, most of them for "
                "others, by reason; a reason that no packet had is absent.");
    each([&](const Json &rule, auto name) {
        packets(rule["packets"], [&](auto verdict, auto reason, std::uint64_t count) {
            out.sample({name, verdict, reason}, count);
        });
    });
}

void add_health(MetricsText &out, const Json &rules) {
    const auto each = [&](auto &&sample) {
        for (const Json &rule : rules)
            sample(rule["health"], MetricsText::Label{"rule", word(rule["name"])});
    };
    out.counter("nlbd_rule_health_checks_total", "Checks that had a result.");
    each([&](const Json &health, auto name) { out.sample({name}, number(health["checks"])); });
    out.counter("nlbd_rule_health_check_failures_total", "Those that failed.");
    each([&](const Json &health, auto name) { out.sample({name}, number(health["failures"])); });
    out.gauge("nlbd_rule_health_held_down_seconds",
              "How long a service that comes and goes is still held down.");
    each([&](const Json &health, auto name) {
        out.sample({name}, static_cast<double>(number(health["held_down_ms"])) / 1000);
    });
    out.gauge("nlbd_rule_health_recent_falls", "Falls that count for holding it down; one is "
                                               "forgotten for each full minute since the last.");
    each([&](const Json &health, auto name) { out.sample({name}, number(health["falls"])); });
}

void add_packets(MetricsText &out, const Json &status) {
    out.counter("nlbd_packets_total", "Packets that came to this node, by the verdict's reason.");
    counts(out, "reason", status["counters"]);
    out.counter("nlbd_filter_memory_put_back_total",
                "How often something else had changed the filter's memory, and the agent wrote it again.");
    out.sample({}, number(status["datapath"]["memory_put_back"]));
    out.counter("nlbd_sent_on_packets_total",
                "Packets that were sent on to another node, which serves them or may hold their connection.");
    for (const Json &node : status["sent_on"])
        out.sample({{"node", word(node["name"])}}, number(node["packets"]));
    const Json &uncovered = status["uncovered"];
    out.gauge("nlbd_uncovered_buckets",
              "65536: this node is the default host and serves what no rule covers; otherwise 0.");
    out.sample({}, number(uncovered["buckets"]));
    out.counter("nlbd_uncovered_packets_total",
                "Packets to virtual IPs that no rule covers, in the same way.");
    packets(uncovered["packets"], [&](auto verdict, auto reason, std::uint64_t count) {
        out.sample({verdict, reason}, count);
    });
    const Json &connections = status["connections"];
    out.gauge("nlbd_connections",
              "Open TCP connections to virtual IPs on this node; absent: not counted yet.");
    if (!connections["total"].is_null()) out.sample({}, number(connections["total"]));
    out.gauge("nlbd_lingering_connections",
              "Those of them in buckets that this node does not serve, such as have moved.");
    if (!connections["lingering"].is_null()) out.sample({}, number(connections["lingering"]));
    out.gauge("nlbd_lingering_groups",
              "Groups of 128 buckets in which this node may hold connections that moved; of 512.");
    out.sample({}, number(connections["lingering_groups"]));
}

void add_beats(MetricsText &out, const Json &beats) {
    out.counter("nlbd_beats_received_total", "Beats of peers that were accepted.");
    out.sample({}, number(beats["received"]));
    out.counter("nlbd_beats_sent_total", "Beats of this node.");
    out.sample({}, number(beats["sent"]));
    out.counter("nlbd_beat_send_errors_total", "Those that an interface did not take.");
    out.sample({}, number(beats["send_errors"]));
    out.counter("nlbd_beats_refused_total", "Datagrams that were refused, or lost in this host, by reason.");
    counts(out, "reason", beats, {"received", "sent", "send_errors"});
}

void add_receptions(MetricsText &out, const MetricsSources &sources) {
    const auto each = [&](auto &&sample) {
        for (const Json &member : sources.status["members"]) {
            const BeatQuality &peer = sources.beat_qualities.of(member["id"].get<unsigned>());
            if (peer.received > 0) sample(peer, MetricsText::Label{"peer", word(member["name"])});
        }
    };
    out.counter("nlbd_peer_beats_received_total", "Beats of a peer that were accepted.");
    each([&](const BeatQuality &peer, auto name) { out.sample({name}, peer.received); });
    out.counter("nlbd_peer_beats_lost_total",
                "Beats of a peer that never came, or too late: gaps in their numbers.");
    each([&](const BeatQuality &peer, auto name) { out.sample({name}, peer.lost); });
    out.gauge("nlbd_peer_beat_gap_seconds", "Mean time between two beats of a peer.");
    each([&](const BeatQuality &peer, auto name) { out.sample({name}, peer.gap); });
    out.gauge("nlbd_peer_beat_jitter_seconds",
              "Mean deviation of that time; the sender's own, about a sixteenth of the interval, "
              "is in it.");
    each([&](const BeatQuality &peer, auto name) { out.sample({name}, peer.jitter); });
}

void add_network(MetricsText &out, const Json &status) {
    const Json &neighbours = status["neighbours"];
    out.counter("nlbd_neighbour_requests_total",
                "ARP requests and neighbour solicitations for virtual IPs.");
    counts(out, "result", neighbours, {"send_errors", "announced", "claimed"});
    out.counter("nlbd_neighbour_send_errors_total", "Answers and announcements that could not be sent.");
    out.sample({}, number(neighbours["send_errors"]));
    out.counter("nlbd_neighbour_announcements_total", "Announcements of virtual IPs, unasked.");
    out.sample({}, number(neighbours["announced"]));
    out.counter("nlbd_neighbour_claims_total", "Messages of other machines that a virtual IP is theirs.");
    out.sample({}, number(neighbours["claimed"]));
    const Json &witness = status["witness"];
    if (witness.is_null()) return;
    out.counter("nlbd_witness_questions_total", "How often the witness was asked.");
    out.sample({}, number(witness["asked"]));
    out.counter("nlbd_witness_answers_total", "How often it answered.");
    out.sample({}, number(witness["answered"]));
    out.counter("nlbd_witness_malformed_total", "Answers that were malformed.");
    out.sample({}, number(witness["malformed"]));
    out.counter("nlbd_witness_send_errors_total", "Questions that could not be sent.");
    out.sample({}, number(witness["send_errors"]));
}

void add_commands(MetricsText &out, const Json &commands) {
    const std::vector<std::string_view> connections(kCallers.begin(), kCallers.end());
    out.counter("nlbd_commands_total", "Commands to this agent, by result.");
    counts(out, "result", commands, connections);
    out.counter("nlbd_command_connections_total",
                "Connections to the port for commands, of agents that hold the key and of others, by what "
                "became of them.");
    for (const std::string_view key : connections)
        if (commands.contains(key))
            out.sample({{"result", key == kCallers.front() ? "proved" : key}}, number(commands[key]));
}

} // namespace

std::string metrics(const MetricsSources &sources) {
    const Json &status = sources.status;
    MetricsText out;
    add_node(out, sources);
    add_problems(out, status["problems"]);
    add_announcement(out, status["announce"]);
    add_orders(out, status["orders"]);
    add_members(out, status["members"], status["view"]["leader"]);
    add_view(out, sources);
    add_rules(out, status["rules"]);
    add_health(out, status["rules"]);
    add_packets(out, status);
    add_beats(out, status["beats"]);
    add_receptions(out, sources);
    add_network(out, status);
    add_commands(out, status["commands"]);
    out.histogram("nlbd_loop_lag_seconds",
                  "Lateness of the agent's loop; a node that is one lease late is fenced.",
                  LoopLag::kBounds, sources.lag.counts, sources.lag.sum);
    return out.text();
}

} // namespace agent
