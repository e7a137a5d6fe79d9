// SPDX-License-Identifier: Apache-2.0
// What the state machine tells people: node states, reasons, and the texts of its notes.
#include "heartbeat/state.hpp"

#include <bit>
#include <tuple>

namespace heartbeat {

std::string name(const State &state, NodeId id) {
    const auto &[nodes, names] = std::tie(state.settings.nodes, state.settings.names);
    for (std::size_t i = 0; i < names.size(); ++i)
        if (nodes[i] == id) return names[i];
    return "node " + std::to_string(index(id));
}

std::string name(const ViewNumber &number) {
    return std::to_string(number.term) + "." + std::to_string(number.number);
}

namespace {

// What a node was last heard to be doing, when it does not simply serve.
std::string doing(NodeState said) {
    switch (said) {
    case NodeState::draining:
        return "draining";
    case NodeState::stopped: // by command, or by a problem that its own status names
        return "stopped";
    case NodeState::suspended:
        return "suspended by command";
    case NodeState::fenced:
        return "its lease ran out";
    case NodeState::joining:
        return "joining";
    case NodeState::dead:
        return "left the cluster";
    case NodeState::active:
        break;
    }
    return "";
}

std::string why_removed(const State &state, const Member &member) {
    if (member.id == state.settings.self) return "its former life";
    const Peer &peer = state.peers[index(member.id)];
    if (peer.life == 0) return "never heard";
    const auto silent = std::chrono::duration_cast<std::chrono::milliseconds>(state.last_step -
                                                                              peer.heard);
    const std::string said = doing(peer.beat.state);
    if (peer.life != member.life)
        return said.empty() || said == "joining" ? "started again" : said;
    if (!said.empty() && said != "joining") return said;
    return "not heard for " + std::to_string(silent.count()) + " ms";
}

// "without rule http (unhealthy)": as far as the member's last beat tells.
std::string rules_changed(const State &state, const Member &before, const Member &after) {
    const RuleBits healthy = after.id == state.settings.self
                                 ? state.settings.healthy
                                 : state.peers[index(after.id)].beat.healthy;
    std::string text;
    for (std::size_t rule = 0; rule < kMaxRules; ++rule) {
        const RuleBits bit = RuleBits{1} << rule;
        if (((before.eligible ^ after.eligible) & bit) == 0) continue;
        if (rule >= state.settings.rule_names.size()) return "rules changed";
        const bool gained = after.eligible & bit, works = healthy & bit;
        text += (text.empty() ? "" : " and ") + std::string(gained ? "with" : "without") + " rule " +
                state.settings.rule_names[rule];
        if (!works) text += gained ? " (unhealthy, as all are)" : " (unhealthy)";
    }
    return text;
}

std::string why_weight(const State &state, const Member &member) {
    const NodeState said = member.id == state.settings.self
                               ? state_of(state)
                               : state.peers[index(member.id)].beat.state;
    return member.weight == 0 && said == NodeState::draining ? " (draining)" : "";
}

} // namespace

std::string change(const State &state, const View &next) {
    const std::vector<Member> &before = state.view.members, &after = next.members;
    std::string text;
    if (!before.empty() && state.view.config != next.config) text = "configuration changed";
    auto add = [&](const Member &member, const std::string &what) {
        text += (text.empty() ? "" : ", ") + name(state, member.id) + " " + what;
    };
    auto in = [](const std::vector<Member> &members, const Member &wanted) -> const Member * {
        for (const Member &member : members)
            if (member.id == wanted.id && member.life == wanted.life) return &member;
        return nullptr;
    };
    for (const Member &old : before)
        if (!in(after, old)) add(old, "removed (" + why_removed(state, old) + ")");
    for (const Member &member : after) {
        const Member *old = in(before, member);
        if (!old)
            add(member, "added");
        else if (old->weight != member.weight)
            add(member, "weight " + std::to_string(old->weight) + " to " +
                            std::to_string(member.weight) + why_weight(state, member));
        else if (old->eligible != member.eligible)
            add(member, rules_changed(state, *old, member));
    }
    if (text.empty()) return after.empty() ? "no members yet" : "same members, new leader";
    return text;
}

NodeState state_of(const State &state) {
    if (state.gone) return NodeState::dead;
    const bool member = state.member();
    switch (state.wish) {
    case Wish::stop:
        return member ? NodeState::draining : NodeState::stopped;
    case Wish::leave:
        return member ? NodeState::draining : NodeState::stopped;
    case Wish::suspend:
        return member ? NodeState::draining : NodeState::suspended;
    case Wish::drain:
        return member ? NodeState::draining : NodeState::joining;
    case Wish::serve:
        break;
    }
    if (!wants_in(state)) return member ? NodeState::draining : NodeState::stopped;
    if (member && state.serving && state.lease_until) return NodeState::active;
    return state.fenced ? NodeState::fenced : NodeState::joining;
}

namespace {

std::string before_the_first_start(const State &state, Time now) {
    std::string missing;
    for (const NodeId id : state.settings.nodes)
        if (id != state.settings.self && !state.counts(state.peers[index(id)], now, state.settings.dead_after))
            missing += (missing.empty() ? "" : ", ") + name(state, id);
    if (missing.empty()) return "waiting for every node to have the same list of nodes";
    return "waiting for " + missing + ": the first start with partition = \"quorum\" needs every node once";
}

// "with 1 of 5 nodes, quorum needs 3"; empty: enough of them, or it needs none.
std::string missing_to_quorum(const State &state, Time now) {
    if (!state.quorum()) return "";
    if (!state.electorate.known()) return before_the_first_start(state, now);
    NodeBits together = bit(state.settings.self);
    state.each_peer([&](NodeId id, const Peer &peer) {
        if (state.counts(peer, now, state.settings.dead_after) && has_vote(state, peer.beat.electorate)) together |= bit(id);
    });
    for (const NodeBits list : {state.electorate.nodes, state.electorate.former}) {
        const int nodes = std::popcount(list), there = std::popcount(together & list), needed = nodes / 2 + 1;
        if (list == 0 || there >= needed) continue;
        return "with " + std::to_string(there) + " of " + std::to_string(nodes) + " nodes" +
               (list == state.electorate.former ? " of the former list" : "") + ", quorum needs " + std::to_string(needed);
    }
    return "";
}

// The staged configuration is in force without this node, and no majority needs it.
bool removed(const State &state) {
    const bool votes = state.quorum() && state.electorate.lists(state.settings.self);
    return state.to_be_removed() && state.view.config == state.staged->config && !votes;
}

std::string why_not_serving(const State &state, Time now) {
    switch (state.wish) {
    case Wish::drain:
        return "draining by command";
    case Wish::stop:
        return "stopped by command";
    case Wish::suspend:
        return "suspended by command";
    case Wish::leave:
        return "leaving";
    case Wish::serve:
        break;
    }
    if (removed(state)) return "removed: the configuration in force does not list this node";
    if (!wants_in(state)) return "to be removed: the staged configuration does not list this node";
    if (!state.refused_why.empty()) return "refused: " + state.refused_why;
    const std::string before = state.fenced ? "its lease ran out; " : "";
    if (cut_off(state, now)) return "alone, and " + state.settings.witness_silent;
    if (state.member() && !state.serving)
        return before + "waiting until every member has let go of its buckets";
    if (state.member() && state.lease_until) return "";
    if (state.role == Role::following)
        return before + "waiting to be added by " + name(state, state.choice);
    if (state.hears_unreadable(now)) return before + std::string(kUnreadable);
    if (state.listening(now)) return before + "listening for other nodes";
    if (const auto missing = missing_to_quorum(state, now); !missing.empty())
        return before + missing;
    return before + (state.member() ? "no right to serve yet" : "no leader yet");
}

std::string why_not_serving(const State &state, const Peer &peer, Time now) {
    if (peer.life == 0) return "never heard";
    if (peer.beat.state == NodeState::dead) return "left the cluster";
    if (!state.fresh(peer, now, state.settings.dead_after)) return "not heard";
    if (!peer.mismatch.empty()) // of two that differ, it is who has no place that is refused
        return (state.refused_why.empty() ? "refused: " : "") + peer.mismatch;
    if (!state.counts(peer, now, state.settings.dead_after)) return "does not hear this node";
    return doing(peer.beat.state);
}

// True also of who has no place in the view.
bool as_asked(const State &state) {
    if (!state.member()) return true;
    const Member &self = *state.view.find(state.settings.self);
    const RuleBits willing = state.settings.eligible, works = willing & state.settings.healthy;
    return self.weight == wished_weight(state) && (self.eligible & ~willing) == 0 &&
           (works & ~self.eligible) == 0;
}

} // namespace

Status Membership::status(Time now) const {
    const State &state = *state_;
    Status status;
    status.state = state_of(state);
    status.reason = why_not_serving(state, now);
    status.life = state.life;
    status.view = state.view;
    status.installed = state.installed;
    status.as_asked = as_asked(state);
    status.leader =
        state.role == Role::following || state.role == Role::leading ? state.choice : kNoNode;
    status.role = state.role;
    status.removed = removed(state);
    status.staged = state.staged && !status.removed;
    if (status.staged) status.unstaged = without_staged(state, state.view.members, now);
    if (status.staged && status.unstaged.empty()) status.unstaged = missing_to_staged(state, now);
    for (const NodeId id : status.unstaged)
        if (const Digest its = state.peers[index(id)].beat.staged; its != 0 && its != state.staged->config)
            status.staged_another.push_back(id);
    status.electorate = state.electorate;
    status.lease_until = lease_until();
    for (NodeId id : state.settings.nodes) {
        const Member *member = state.view.find(id);
        if (id == state.settings.self) {
            status.nodes.push_back({id, status.state,
                                    member ? member->weight : wished_weight(state), Duration{0},
                                    status.reason, state.shown_since, std::nullopt,
                                    state.settings.healthy});
            continue;
        }
        const Peer &peer = state.peers[index(id)];
        PeerStatus shown{id, NodeState::dead, member ? member->weight : peer.beat.weight,
                         std::nullopt, why_not_serving(state, peer, now), peer.heard};
        if (peer.life != 0) shown.heard_ago = now - peer.heard;
        if (state.fresh(peer, now, state.settings.dead_after)) {
            shown.state = peer.beat.state;
            shown.since = peer.state_since;
            if (peer.beat.connections != kUncounted) shown.connections = peer.beat.connections;
            if (peer.beat.config == state.settings.config) shown.healthy = peer.beat.healthy;
        }
        status.nodes.push_back(shown);
    }
    return status;
}

} // namespace heartbeat
