// SPDX-License-Identifier: Apache-2.0
//
// One leader at a time. A node follows a leader that it counts; without one it supports the lowest
// id that may lead, and who is supported by all that could object stands in a new term and is voted
// for, once per term. No bucket moves because the leader changes, so a false election costs
// nothing.
#include "heartbeat/state.hpp"

#include <algorithm>

namespace heartbeat {
namespace {

bool present(const Peer &peer) { return peer.life != 0 && peer.beat.state != NodeState::dead; }

bool can_follow(const State &state, const Peer &peer, Time now) {
    return present(peer) && state.counts(peer, now, state.leader_timeout) && leads(peer.beat) &&
           !(state.member() && peer.beat.view->number < state.view.number) &&
           peer.beat.term >= state.vote.term && // its lease must not grow by a node that has elected another,
           !peer.beat.electorate.older_than(state.electorate); // nor by one that knows of a change of the list
}

NodeId leader_to_follow(const State &state, Time now) {
    if (state.role == Role::following && can_follow(state, state.peers[index(state.choice)], now))
        return state.choice;
    Leadership best;
    state.each_peer([&](NodeId id, const Peer &peer) {
        const Leadership seen{peer.beat.term, id};
        if (can_follow(state, peer, now) && state.in_touch(peer, now) && seen.above(best))
            best = seen;
    });
    return best.leader;
}

// Those with the newest electorate first, and none with an older one than this node's. Then members: those who have just
// started have no say in what a member does, and much in what another does.
NodeId best_candidate(const State &state, Time now) {
    struct Candidate {
        const Electorate &electorate;
        bool outside;
        NodeId id;
        bool before(const Candidate &other) const {
            if (electorate.older_than(other.electorate) || other.electorate.older_than(electorate))
                return other.electorate.older_than(electorate);
            return std::pair{outside, id} < std::pair{other.outside, other.id};
        }
    };
    std::vector<Candidate> candidates;
    if (may_lead(state, now)) candidates.push_back({state.electorate, !state.member(), state.settings.self});
    state.each_peer([&](NodeId id, const Peer &peer) {
        if (present(peer) && state.counts(peer, now, state.leader_timeout) && peer.beat.may_lead &&
            !peer.beat.electorate.older_than(state.electorate))
            candidates.push_back({peer.beat.electorate, peer.beat.applied.term == 0, id});
    });
    const auto best = std::ranges::min_element(candidates, [](const Candidate &one, const Candidate &other) { return one.before(other); });
    return best == candidates.end() ? kNoNode : best->id;
}

// It serves nothing, and for D after its start it supports no node.
bool only_listens(const Beat &beat) { return beat.role == Role::joining && beat.applied.term == 0; }

// serve: every node that may be serving, and every node that could stand as well. A silent node
// with a place in the view holds up an election for leader_timeout only: the grace keeps its
// buckets where they are.
bool has_a_say(const State &state, NodeId id, const Peer &peer, Time now) {
    if (peer.life != 0 && !present(peer)) return false;
    if (state.counts(peer, now, state.leader_timeout))
        return !state.member() || !only_listens(peer.beat);
    if (deaf(state, peer, now)) return false;
    const auto within = [&](std::optional<Time> when) { return when && now - *when < state.doubt(id); };
    return within(peer.active) || within(peer.vouched) || within(peer.anew);
}

// No other node that serves is heard, and the witness answers. Its answer counts only if the question
// was asked when every node that has not said farewell had been silent for a while: an older answer
// may be from before this node was cut off. (Of a deaf node's beats no end need be awaited.) A node
// without a view begins one of its own: another that has done so and was cut off since may serve until
// its lease is over.
bool may_lead_alone(const State &state, Time now) {
    const Duration silence = state.member() ? state.leader_timeout + state.settings.interval
                                            : state.settings.dead_after;
    Time last = state.up_since;
    state.each_peer([&](NodeId, const Peer &peer) {
        if (!present(peer)) return;
        last = std::max(last, deaf(state, peer, now) ? peer.touched.value_or(last) : peer.heard);
    });
    const bool connected = !state.settings.witness || state.witness_at >= last + silence;
    return connected && quiet(state, now);
}

template <class F>
bool electorate_agrees(const State &state, Time now, F &&agrees) {
    NodeBits votes = bit(state.settings.self);
    bool all = true, company = false; // those who have no say are company, too
    state.each_peer([&](NodeId id, const Peer &peer) {
        const bool touched = present(peer) && state.in_touch(peer, now);
        const bool agreed = touched && has_vote(state, peer.beat.electorate) && agrees(peer);
        if (agreed) votes |= bit(id);
        company |= touched;
        if (!agreed && has_a_say(state, id, peer, now)) all = false;
    });
    if (state.quorum()) return state.electorate.has_majority(votes);
    return all && (company || may_lead_alone(state, now));
}

void become(State &state, Role role, NodeId choice) {
    if (state.role == role && state.choice == choice) return;
    state.role = role;
    state.choice = choice;
    state.out.send = true;
}

void follow(State &state, NodeId leader) {
    Peer &peer = state.peers[index(leader)];
    const Term term = peer.beat.term;
    if (state.role != Role::following || state.choice != leader || state.term != term)
        state.note(Note::Kind::leader, "leader: following " + name(state, leader) +
                                           " (term=" + std::to_string(term) + ")");
    become(state, Role::following, leader);
    state.term = term;
    note_led(state, leader, term, peer.heard);
}

void vote(State &state) {
    if (state.choice == kNoNode || state.choice == state.settings.self) return;
    const Beat &beat = state.peers[index(state.choice)].beat;
    if (beat.role != Role::standing || beat.term <= state.vote.term) return;
    state.vote = {beat.term, state.choice};
    state.out.send = true;
}

// Too many have voted for others in the same term, or have gone on to a higher one, for this node to be elected in its own.
bool has_lost(const State &state, Time now) {
    return !electorate_agrees(state, now, [&](const Peer &peer) {
        return peer.beat.vote.term < state.term || peer.beat.vote == state.vote;
    });
}

void stand(State &state, Time now) {
    if (state.role == Role::standing && (now - state.stood_at >= state.leader_timeout || has_lost(state, now)))
        become(state, Role::supporting, state.settings.self); // no node is kept waiting by a lost vote
    if (state.role != Role::standing) {
        if (state.late(now) || !electorate_agrees(state, now, [&](const Peer &peer) {
                return peer.beat.role == Role::supporting &&
                       peer.beat.choice == state.settings.self;
            }))
            return;
        state.term = ++state.highest_term;
        state.vote = {state.term, state.settings.self};
        state.stood_at = now;
        if (!state.member()) state.held_since = now;
        become(state, Role::standing, state.settings.self);
    }
    if (!electorate_agrees(state, now,
                           [&](const Peer &peer) { return peer.beat.vote == state.vote; }))
        return;
    if (!take_office(state, now)) return;
    become(state, Role::leading, state.settings.self);
    state.note(Note::Kind::leader,
               "leader: this node leads (term=" + std::to_string(state.term) + ")");
}

Leadership highest_heard_of(const State &state, Time now) {
    Leadership highest{state.term, state.settings.self};
    state.each_peer([&](NodeId id, const Peer &peer) {
        if (!present(peer) || !state.in_touch(peer, now)) return;
        if (peer.beat.highest.above(highest) && peer.beat.highest.leader != state.settings.self)
            highest = peer.beat.highest;
        if (leads(peer.beat) && Leadership{peer.beat.term, id}.above(highest))
            highest = {peer.beat.term, id};
    });
    return highest;
}

// It was elected by this node's own followers, who missed this one for a while: its view goes on
// from here.
bool succeeded_by(const State &state, const Peer &peer) {
    return peer.beat.view->number > state.view.number &&
           peer.beat.view->holds(state.settings.self, state.life);
}

// By a node that follows none, and whose vote forbids it to follow this term; or another leader has claimed the electorate in
// this term or a later one, and nodes that have kept that take no other claim in it. A new term is due.
bool outvoted(const State &state, Time now) {
    bool found = false;
    state.each_peer([&](NodeId, const Peer &peer) {
        if (!present(peer) || !state.in_touch(peer, now)) return;
        const bool free = peer.beat.role == Role::supporting || peer.beat.role == Role::standing;
        const Electorate &its = peer.beat.electorate;
        found |= free && peer.beat.vote.term > state.term;
        found |= its.term >= state.term && its.leader != state.settings.self;
    });
    return found;
}

// A leader that learns of a higher one, itself or from a node that both hear, gives way: to its
// successor as a follower, to the leader of another cluster in a new life (merge). Which of the two
// it is, that one's own beats say: where they come through, they are waited for.
bool give_way(State &state, Time now) {
    if (outvoted(state, now)) {
        become(state, Role::joining, kNoNode);
        return true;
    }
    const Leadership highest = highest_heard_of(state, now);
    if (highest.leader == state.settings.self) return false;
    const Peer &higher = state.peers[index(highest.leader)];
    if (state.fresh(higher, now, state.leader_timeout)) {
        if (!leads(higher.beat) || higher.beat.term < highest.term) return false;
        if (succeeded_by(state, higher)) {
            become(state, Role::joining, kNoNode);
            return true;
        }
    }
    state.note(Note::Kind::merge, "merge: " + name(state, highest.leader) + " leads in term " +
                                      std::to_string(highest.term) +
                                      ", giving way (own_term=" + std::to_string(state.term) + ")");
    end_life(state, now, "merged with the cluster of " + name(state, highest.leader));
    return true;
}

// A new process does not know whom its predecessor has voted for; in `quorum` a vote ends the lease
// of all leaders before.
bool may_follow(const State &state, Time now) {
    return !state.quorum() ||
           now - state.started >= state.settings.dead_after;
}

} // namespace

// A node that cannot be elected must not stand in the way of one that can.
bool electable(const State &state, Time now) {
    if (!state.quorum()) return true;
    NodeBits reached = bit(state.settings.self);
    state.each_peer([&](NodeId id, const Peer &peer) {
        if (present(peer) && state.in_touch(peer, now) && has_vote(state, peer.beat.electorate)) reached |= bit(id);
    });
    return state.electorate.has_majority(reached);
}

bool Leadership::above(const Leadership &other) const {
    return term != other.term
               ? term > other.term
               : leader != kNoNode && (other.leader == kNoNode || leader < other.leader);
}

bool may_lead(const State &state, Time now) {
    const bool listed = !state.quorum() || state.electorate.lists(state.settings.self);
    return listed && electable(state, now) && !state.listening(now) && !state.late(now) && wants_in(state) &&
           state.refused_why.empty();
}

Leadership highest_leader(const State &state, Time now) {
    Leadership highest;
    if (state.role == Role::leading) highest = {state.term, state.settings.self};
    state.each_peer([&](NodeId id, const Peer &peer) {
        const Leadership seen{peer.beat.term, id};
        if (present(peer) && state.in_touch(peer, now) && leads(peer.beat) && seen.above(highest))
            highest = seen;
    });
    return highest;
}

void note_led(State &state, NodeId leader, Term term, Time when) {
    if (state.led.leader != leader || state.led.term != term) {
        state.formerly_led = last_led(state);
        state.led = {leader, term, when};
    }
    state.led.when = std::max(state.led.when, when);
}

std::optional<Time> last_led(const State &state) {
    if (state.led.leader == kNoNode) return state.formerly_led;
    return std::max(state.formerly_led.value_or(state.led.when), state.led.when);
}

std::optional<Time> last_of_others(const State &state) {
    const bool mine = state.led.leader == state.settings.self && state.led.term == state.term;
    return std::max(mine ? state.formerly_led : last_led(state), state.told_of_led);
}

void choose(State &state, Time now) {
    if (state.role == Role::leading && !give_way(state, now)) return;
    if (NodeId leader = leader_to_follow(state, now); leader != kNoNode && may_follow(state, now))
        return follow(state, leader);
    if (state.listening(now) || !has_vote(state, state.electorate)) return become(state, Role::joining, kNoNode);
    const NodeId candidate = best_candidate(state, now);
    if (candidate != state.settings.self || state.role != Role::standing)
        become(state, Role::supporting, candidate);
    if (candidate == state.settings.self)
        stand(state, now);
    else
        vote(state);
}

} // namespace heartbeat
