// SPDX-License-Identifier: Apache-2.0
//
// `quorum`: the nodes of which a majority decides, and how their list changes: by joint consensus, as in Raft. A change
// goes over one electorate that needs a majority of the former and of the new list. Each step is kept on disk by these
// majorities, following its leader, before the next one is made: terms are not kept, so a leader claims the electorate of
// its predecessor first (step 1), and of two leaders that have the same term no more than one gets beyond that.
#include "heartbeat/state.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

namespace heartbeat {
namespace {

NodeBits bits_of(const std::vector<NodeId> &nodes) {
    NodeBits bits = 0;
    for (const NodeId id : nodes)
        bits |= bit(id);
    return bits;
}

void keep(State &state, const Electorate &electorate) {
    state.keeping = electorate;
    state.out.keep = electorate;
}

Electorate first_of(const Settings &settings) { return {.step = 1, .made_step = 1, .nodes = bits_of(settings.nodes)}; }

// A cluster that has never been one begins when all nodes are there: of fewer, one might have the electorate of another list.
void found(State &state, Time now) {
    const Electorate first = first_of(state.settings);
    if (state.listening(now) || !first.lists(state.settings.self)) return;
    NodeBits ready = bit(state.settings.self);
    state.each_peer([&](NodeId id, const Peer &peer) {
        const Electorate &its = peer.beat.electorate;
        if (state.in_touch(peer, now) && peer.beat.config == state.settings.config && (!its.known() || its == first))
            ready |= bit(id);
    });
    if ((first.nodes & ~ready) == 0) keep(state, first);
}

// What a node keeps that has `mine` and is told of `its`. A node that has kept one leader's claim takes none of another one's in
// that term, and none of an earlier term; what is newer it then learns, without the claim: it is not counted for that.
Electorate after_hearing(const Electorate &mine, const Electorate &its) {
    if (its.older_than(mine)) return mine;
    const bool promises = its.term > mine.term || (its.term == mine.term && its.leader == mine.leader && its.step > mine.step);
    if (promises || !mine.known()) return its;
    if (!mine.older_than(its)) return mine;
    Electorate next = its;
    next.term = mine.term;
    next.leader = mine.leader;
    next.step = mine.step;
    return next;
}

// A node that has lost its disk, or is new, learns from a leader that was elected without it what counts.
void adopt(State &state) {
    const Beat &leader = state.peers[index(state.choice)].beat;
    if (!leader.electorate.known() || (!state.electorate.known() && leader.lease_left_ms == 0)) return;
    const Electorate next = after_hearing(state.electorate, leader.electorate);
    if (next != state.electorate) keep(state, next);
}

// A node without a leader takes a newer electorate from another one when too few nodes would vote for it: those that know a
// newer one do not vote for it, and may not be able to lead themselves.
void learn(State &state, Time now) {
    NodeBits voters = bit(state.settings.self);
    const Electorate *newest = &state.electorate;
    state.each_peer([&](NodeId id, const Peer &peer) {
        const Electorate &its = peer.beat.electorate;
        if (!state.in_touch(peer, now) || !its.known()) return;
        if (!state.electorate.older_than(its)) voters |= bit(id);
        if (state.electorate.lists(id) && newest->older_than(its)) newest = &its;
    });
    if (newest != &state.electorate && !state.electorate.has_majority(voters)) keep(state, after_hearing(state.electorate, *newest));
}

// They follow this leader, in its term, and have kept what it has.
bool is_kept(const State &state, Time now) {
    if (state.electorate.leader != state.settings.self || state.electorate.term != state.term) return false;
    NodeBits kept = bit(state.settings.self);
    state.each_peer([&](NodeId id, const Peer &peer) {
        if (state.counts(peer, now, state.leader_timeout) && follows_me(state, peer.beat) && peer.beat.electorate == state.electorate)
            kept |= bit(id);
    });
    return state.electorate.has_majority(kept);
}

// Nodes with this configuration, in force or staged, that follow this leader and know the electorate.
NodeBits ready_for(const State &state, Digest config, Time now) {
    NodeBits ready = bit(state.settings.self);
    state.each_peer([&](NodeId id, const Peer &peer) {
        const bool has_it = peer.beat.config == config || has_staged(peer.beat, config);
        if (has_it && peer.beat.electorate.known() && state.counts(peer, now, state.leader_timeout) && follows_me(state, peer.beat))
            ready |= bit(id);
    });
    return ready;
}

// The list of nodes that is due and can have a majority: the staged one when every member has staged it, else the one in
// force. Nothing: the electorate has it, or no majority of it is ready.
std::optional<NodeBits> list_due(const State &state, Time now) {
    const bool staged = state.staged && without_staged(state, state.view.members, now).empty();
    const Settings &next = staged ? *state.staged : state.settings;
    const Electorate then = first_of(next);
    if (then.nodes == state.electorate.nodes || !then.has_majority(ready_for(state, next.config, now))) return std::nullopt;
    return then.nodes;
}

bool hears_newer(const State &state, Time now) {
    bool found = false;
    state.each_peer([&](NodeId, const Peer &peer) {
        found |= state.in_touch(peer, now) && state.electorate.older_than(peer.beat.electorate);
    });
    return found;
}

// The list of the view in force, when it is one of the two; of the former one only as long as no node waits for the other.
std::optional<NodeBits> decided(const State &state) {
    if (!state.done || state.view.config != state.settings.config) return std::nullopt;
    const NodeBits in_force = bits_of(state.settings.nodes);
    if (in_force == state.electorate.former) {
        if (state.staged && bits_of(state.staged->nodes) == state.electorate.nodes) return std::nullopt;
        return in_force;
    }
    return state.electorate.nodes;
}

void lead_change(State &state, Time now) {
    const Electorate &present = state.electorate;
    const bool claimed = present.term == state.term && present.leader == state.settings.self;
    const std::optional<NodeBits> due = list_due(state, now);
    if (present.former == 0 && !due && !hears_newer(state, now)) return;
    Electorate next = present;
    next.leader = state.settings.self;
    next.term = state.term;
    next.step = claimed ? static_cast<std::uint16_t>(present.step + 1) : std::uint16_t{1};
    if (!claimed) return keep(state, next);
    if (!is_kept(state, now)) return;
    if (present.former != 0 && present.step > 1) {
        const auto list = decided(state);
        if (!list) return;
        next.nodes = *list;
        next.former = 0;
    } else if (present.former == 0 && due) {
        next.nodes = *due;
        next.former = present.nodes;
    } // else: the same, made anew
    next.made_term = next.term;
    next.made_step = next.step;
    keep(state, next);
}

} // namespace

bool Electorate::has_majority(NodeBits together) const {
    const auto most_of = [together](NodeBits list) { return 2 * std::popcount(together & list) > std::popcount(list); };
    return nodes != 0 && most_of(nodes) && (former == 0 || most_of(former));
}

bool has_vote(const State &state, const Electorate &electorate) {
    return !state.quorum() || electorate.known();
}

std::vector<NodeId> missing_to_staged(const State &state, Time now) {
    std::vector<NodeId> missing;
    if (!state.quorum() || state.role != Role::leading) return missing;
    const NodeBits there = ready_for(state, state.staged->config, now);
    if (first_of(*state.staged).has_majority(there)) return missing;
    std::ranges::copy_if(state.staged->nodes, std::back_inserter(missing), [there](NodeId id) { return !(there & bit(id)); });
    return missing;
}

bool can_name_staged(const State &state, Time now) {
    if (!state.quorum()) return true;
    if (bits_of(state.staged->nodes) != state.electorate.nodes) return false;
    return state.electorate.former == 0 || (state.electorate.step > 1 && is_kept(state, now));
}

void change_electorate(State &state, Time now) {
    if (!state.quorum() || state.keeping) return;
    if (state.role == Role::following)
        adopt(state);
    else if (!state.electorate.known())
        found(state, now);
    else if (state.role != Role::leading)
        learn(state, now);
    else if (state.lease_until && !state.late(now))
        lead_change(state, now);
}

void kept(State &state, const Electorate &electorate) {
    if (state.keeping != electorate) return;
    state.electorate = electorate;
    state.keeping.reset();
    state.highest_term = std::max(state.highest_term, electorate.term);
    state.out.send = true;
}

} // namespace heartbeat
