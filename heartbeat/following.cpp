// SPDX-License-Identifier: Apache-2.0
//
// What this node may serve: the view that it has applied, the lease that bounds it, and the end of
// a life.
#include "heartbeat/state.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace heartbeat {

std::uint8_t wished_weight(const State &state) {
    return state.wish == Wish::serve ? state.settings.weight : std::uint8_t{0};
}

bool wants_in(const State &state) {
    if (state.wish != Wish::serve && state.wish != Wish::drain) return false;
    const Member *self = state.member() ? state.view.find(state.settings.self) : nullptr;
    return !state.to_be_removed() || (self && self->weight > 0);
}

// From here on nothing that this life was granted holds. What is remembered across lives: terms,
// the vote, and when other leaders were followed.
void end_life(State &state, Time now, const std::string &why) {
    state.note(Note::Kind::life,
               name(state, state.settings.self) + ": starts a new life (" + why + ")");
    if (state.role == Role::leading) note_led(state, state.settings.self, state.term, now);
    state.ended.push_back(state.life);
    if (state.ended.size() > kRememberedLives) state.ended.pop_front();
    state.previous = state.life;
    state.life = state.random ^ (state.previous << 1); // random even when two lives end in one step
    if (state.life == 0 || state.life == state.previous) state.life = state.previous + 1;
    state.sequence = 0;
    state.born = now;
    state.sent.clear();
    state.each_peer([](NodeId, Peer &peer) {
        peer.counted.reset();
        peer.quoted.reset();
    });
    state.role = Role::joining;
    state.choice = kNoNode;
    state.term = 0;
    state.view = {};
    state.done.reset();
    state.installed = state.serving = false;
    state.lease_until.reset();
    state.out.actions.push_back(action::Silence{});
    state.out.send = true;
}

bool knows(const State &state, Digest config) {
    return config == state.settings.config || (state.staged && config == state.staged->config);
}

void configure(State &state, Digest config) {
    if (config == state.settings.config || state.to_be_removed()) return;
    state.settings = std::move(*state.staged);
    state.staged.reset();
    state.awaited.clear();
    state.out.actions.push_back(action::Configure{});
    state.out.send = true;
}

// For dead_after, so that a node that was only away for a moment goes with the others.
void configure_alone(State &state, Time now) {
    const bool led = state.role == Role::following || state.role == Role::leading;
    if (!state.staged || state.member() || led || !state.awaited.empty()) return;
    if (now - state.born < state.settings.dead_after || !quiet(state, now)) return;
    configure(state, state.staged->config);
}

void apply(State &state, const View &view) {
    configure(state, view.config);
    state.out.notes.push_back({Note::Kind::view,
                               "view " + name(view.number) + ": " + change(state, view) +
                                   " (leader=" + name(state, view.number.leader) + ")",
                               view.number});
    const bool same = view.members == state.view.members && view.config == state.view.config;
    const bool served = state.installed && same;
    state.view = view;
    state.done.reset();
    state.installed = false;
    state.out.send = true;
    if (state.member()) state.out.actions.push_back(action::Release{view});
    if (state.member() && served) serve(state); // by another leader: nothing is gained
}

void serve(State &state) {
    state.installed = state.serving = true;
    state.fenced = false;
    state.out.actions.push_back(action::Serve{state.view});
}

void follow_view(State &state, Time now) {
    if (state.role != Role::following) return;
    const Beat &beat = state.peers[index(state.choice)].beat;
    const View view = *beat.view;
    if (state.staged && !state.member() && view.config == state.staged->config)
        configure(state, view.config);
    if (!view.holds(state.settings.self, state.life)) {
        if (state.member()) return end_life(state, now, "removed from the view");
        state.view = view; // to be shown, and to know whom an election concerns
        return;
    }
    if (!knows(state, view.config)) return end_life(state, now, "the configuration was changed");
    if (!state.member()) state.held_since = state.peers[index(state.choice)].quoted.value_or(now);
    if (view.number > state.view.number || !state.member()) apply(state, view);
    if (!beat.done || view.number != state.view.number || state.installed) return;
    serve(state);
    state.out.send = true;
}

// A later life than the one in this node's view may serve by another view: for as long as a lease lasts, if it has shown
// that it hears this node. Any other beat may be an old one, repeated by an attacker who would have this node fall silent.
bool quiet(const State &state, Time now) {
    const auto &view = state.view;
    bool heard = false;
    state.each_peer([&](NodeId id, const Peer &peer) {
        const Duration dead_after = state.settings.dead_after;
        const bool elsewhere = !view.members.empty() && !view.holds(id, peer.life) && peer.counted;
        heard |= peer.active && state.fresh(peer, now, elsewhere ? dead_after : state.leader_timeout);
        const bool hears = now - peer.doubted.when < dead_after;
        heard |= peer.anew && now - *peer.anew < (hears ? dead_after : state.leader_timeout);
    });
    return !heard;
}

namespace {

bool in_company(const State &state, Time now) {
    bool heard = false;
    state.each_peer(
        [&](NodeId, const Peer &peer) { heard |= state.counts(peer, now, state.leader_timeout); });
    return heard;
}

// A node that was cut off hears the witness again before it hears the nodes that took over: it
// listens first.
std::optional<Time> granted_by_witness(const State &state, Time now) {
    if (now - state.witness_at >= state.lease || state.listening(now)) return std::nullopt;
    return state.witness_at + state.lease;
}

// quotes: the newest first.
std::optional<Time> granted_by_majority(const State &state, const std::vector<std::pair<Time, NodeId>> &quotes, Time now) {
    NodeBits together = bit(state.settings.self);
    if (state.electorate.has_majority(together)) return now + state.lease;
    for (const auto &[quoted, id] : quotes) {
        together |= bit(id);
        if (state.electorate.has_majority(together)) return quoted + state.lease;
    }
    return std::nullopt;
}

std::optional<Time> granted_by_followers(const State &state, Time now) {
    std::vector<std::pair<Time, NodeId>> quotes;
    state.each_peer([&](NodeId id, const Peer &peer) {
        if (state.counts(peer, now, state.leader_timeout) && peer.quoted && follows_me(state, peer.beat) &&
            has_vote(state, peer.beat.electorate))
            quotes.emplace_back(*peer.quoted, id);
    });
    std::sort(quotes.begin(), quotes.end(), std::greater<>());
    if (state.quorum()) return granted_by_majority(state, quotes, now);
    if (!quotes.empty()) return quotes.front().first + state.lease;
    if (!quiet(state, now) || state.late(now)) return std::nullopt;
    return state.settings.witness ? granted_by_witness(state, now) : now + state.lease;
}

std::optional<Time> granted_by_leader(const State &state) {
    const Peer &leader = state.peers[index(state.choice)];
    if (!state.member() || !leader.quoted || leader.beat.lease_left_ms == 0) return std::nullopt;
    const Duration left = std::chrono::milliseconds(leader.beat.lease_left_ms);
    return *leader.quoted + std::min(state.lease, left);
}

// That they may serve what this leader leaves.
bool all_know(const State &state) {
    return state.role != Role::leading || !state.member() ||
           std::ranges::all_of(state.view.members, [&](const Member &member) {
               const Peer &peer = state.peers[index(member.id)];
               return member.id == state.settings.self ||
                      (peer.life == member.life && peer.quoted && state.done && *peer.quoted >= *state.done);
           });
}

} // namespace

bool cut_off(const State &state, Time now) {
    return state.settings.witness && state.lease_until.value_or(now) <= now && !in_company(state, now) &&
           quiet(state, now) && now - state.witness_at >= state.lease;
}

// A new life has to be answered first.
bool mute(const State &state, Time now) {
    return !state.member() && now - state.born >= state.leader_timeout && !in_company(state, now) &&
           !quiet(state, now);
}

void extend_lease(State &state, Time now) {
    std::optional<Time> granted;
    if (state.role == Role::leading) granted = granted_by_followers(state, now);
    if (state.role == Role::following) granted = granted_by_leader(state);
    if (granted > state.lease_until) state.lease_until = granted; // nothing is less than any
}

void leave_when_released(State &state, Time now) {
    if (wants_in(state)) return;
    const Member *self = state.view.find(state.settings.self);
    const bool held = state.member() && !(self->weight == 0 && state.installed);
    if (held || !all_know(state)) return;
    if (state.member() || state.role == Role::leading) end_life(state, now, "left the cluster");
    if (state.wish == Wish::leave && !state.gone) {
        state.gone = true;
        state.out.send = true;
    }
}

} // namespace heartbeat
