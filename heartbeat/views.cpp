// SPDX-License-Identifier: Apache-2.0
//
// The leader's part: which view is due, and when all members have let go of what it takes away. A
// member is removed only when it can no longer be serving: by its own word, or because no beat of
// that life came for longer than any lease lasts, counted from the last beat that could have
// extended one.
#include "heartbeat/state.hpp"

#include <algorithm>

namespace heartbeat {
namespace {

// Until then only this leader can have let a lease grow. `quorum`: as of the beat that a majority has
// quoted, for after it they may have elected another; what has run out by then stays run out. 2 i are what a
// lease is shorter than dead_after, less what two clocks can differ by.
Time undisputed(const State &state, Time now) {
    if (!state.quorum()) return now;
    const Duration dead_after = state.settings.dead_after, drift = dead_after / 256;
    return std::min(now, state.lease_until.value_or(state.held_since) + dead_after - 2 * state.lease - drift);
}

// dead_after after the latest moment at which this node or one that it heard had another leader of its
// choice: until then leases that this leader knows nothing of may be running, and it changes nothing.
bool grace_over(const State &state, Time now) {
    const std::optional<Time> latest = last_of_others(state);
    return !latest || undisputed(state, now) - *latest >= state.settings.dead_after;
}

bool may_remove(const State &state, const Member &member, Time now) {
    if (member.id == state.settings.self) return member.life != state.life;
    const Peer &peer = state.peers[index(member.id)];
    if (peer.life != member.life && peer.beat.previous == member.life)
        return true; // by its own word
    if (state.late(now)) return false;
    const auto &lives = peer.superseded;
    if (std::find(lives.begin(), lives.end(), member.life) != lives.end()) return true;
    const Time last = peer.life == member.life ? peer.heard : state.office_since;
    const Time then = undisputed(state, now);
    return then - last >= state.settings.dead_after ||
           (peer.life == member.life && deaf(state, peer, then));
}

bool may_add(const State &state, NodeId id, const Peer &peer, Time now) {
    const Beat &beat = peer.beat;
    const bool wants = beat.state == NodeState::joining || beat.state == NodeState::fenced ||
                       beat.state == NodeState::active || beat.state == NodeState::draining;
    return wants && state.counts(peer, now, state.leader_timeout) && follows_me(state, peer.beat) &&
           beat.config == state.settings.config && state.settings.lists(id) && !state.view.find(id);
}

// What a member says of itself.
struct Word {
    std::uint8_t weight;
    RuleBits willing, healthy;
};

// Nothing, when its last beat is of another life or does not know yet that the configuration is in
// force: then it keeps what it had.
std::optional<Word> word_of(const State &state, const Member &member) {
    if (member.id == state.settings.self)
        return Word{wished_weight(state), state.settings.eligible, state.settings.healthy};
    const Peer &peer = state.peers[index(member.id)];
    if (peer.life != member.life || has_staged(peer.beat, state.settings.config))
        return std::nullopt;
    const bool same = peer.beat.config == state.settings.config;
    return Word{same ? peer.beat.weight : std::uint8_t{0}, peer.beat.eligible, peer.beat.healthy};
}

std::optional<Word> staged_word_of(const State &state, const Member &member) {
    const Beat &beat = state.peers[index(member.id)].beat;
    if (member.id == state.settings.self)
        return Word{member.weight, state.staged->eligible, state.staged->healthy};
    return Word{member.weight, beat.staged_eligible, beat.staged_healthy};
}

// A rule is served by those whose service works; where it works nowhere, by no node, or by all that
// are willing (serve_all_down). The leader decides it once and puts it into the view: each node by
// itself would decide by what it happens to have heard.
void ask_wishes(const State &state, std::vector<Member> &members, RuleBits serve_all_down,
                std::optional<Word> (*word)(const State &, const Member &)) {
    RuleBits healthy = 0; // on some member that can have buckets
    for (Member &member : members) {
        const auto said = word(state, member);
        if (said) member.weight = said->weight;
        if (said && member.weight > 0) healthy |= said->willing & said->healthy;
    }
    const RuleBits regardless = serve_all_down & ~healthy;
    for (Member &member : members)
        if (const auto said = word(state, member))
            member.eligible = said->willing & (said->healthy | regardless);
}

std::vector<Member> members_due(const State &state, Time now) {
    std::vector<Member> members;
    for (const Member &member : state.view.members)
        if (!may_remove(state, member, now)) members.push_back(member);
    const bool absent = !state.view.find(state.settings.self);
    if (absent && wants_in(state) && state.refused_why.empty() && !state.late(now))
        members.push_back({state.settings.self, state.life, 0, 0});
    state.each_peer([&](NodeId id, const Peer &peer) {
        if (may_add(state, id, peer, now)) members.push_back({id, peer.life, 0, 0});
    });
    std::sort(members.begin(), members.end());
    ask_wishes(state, members, state.settings.serve_all_down, word_of);
    return members;
}

bool reported_by_all(const State &state) {
    return std::ranges::all_of(state.view.members, [&](const Member &member) {
        const Peer &peer = state.peers[index(member.id)];
        return member.id == state.settings.self ||
               (peer.life == member.life && follows_me(state, peer.beat) &&
                peer.beat.applied == state.view.number);
    });
}

} // namespace

std::vector<NodeId> without_staged(const State &state, const std::vector<Member> &members,
                                   Time now) {
    std::vector<NodeId> without;
    const Digest staged = state.staged->config;
    state.each_peer([&](NodeId id, const Peer &peer) {
        const auto member = std::ranges::find(members, id, &Member::id);
        if (member != members.end()) {
            if (peer.life != member->life || !has_staged(peer.beat, staged)) without.push_back(id);
        } else if (std::ranges::count(state.awaited, id)) {
            const bool farewell = peer.beat.state == NodeState::dead;
            const bool has_it = state.fresh(peer, now, state.settings.dead_after) &&
                                (peer.beat.config == staged || has_staged(peer.beat, staged));
            if (!farewell && !has_it) without.push_back(id);
        }
    });
    return without;
}

bool take_office(State &state, Time now) {
    View newest = state.member() ? state.view : View{};
    state.each_peer([&](NodeId, const Peer &peer) {
        const Beat &beat = peer.beat;
        if (state.counts(peer, now, state.leader_timeout) && beat.view && beat.applied.term > 0 &&
            beat.view->number == beat.applied && beat.view->number > newest.number)
            newest = *beat.view;
    });
    if (state.member() && !newest.holds(state.settings.self, state.life)) {
        end_life(state, now, "removed from the view while away");
        return false;
    }
    if (newest.members.empty()) newest.config = state.settings.config;
    if (!knows(state, newest.config)) return false;
    newest.number = {state.term, state.settings.self, 1};
    state.office_since = now;
    note_led(state, state.settings.self, state.term, now);
    apply(state, newest);
    return true;
}

namespace {

// Every member has staged it, and one of them stays.
bool may_change(const State &state, const std::vector<Member> &members, Time now) {
    return state.staged && without_staged(state, members, now).empty() && can_name_staged(state, now) &&
           std::ranges::any_of(members, [&](const Member &member) { return state.staged->lists(member.id); });
}

// Members that the staged configuration does not list lose their buckets first, and leave. Then it is named.
void change_configuration(const State &state, View &next) {
    bool stays = true;
    for (Member &member : next.members)
        if (!state.staged->lists(member.id)) {
            member.weight = 0;
            stays = false;
        }
    if (!stays) return;
    next.config = state.staged->config;
    ask_wishes(state, next.members, state.staged->serve_all_down, staged_word_of);
}

} // namespace

void lead(State &state, Time now) {
    if (state.role != Role::leading || !grace_over(state, now)) return;
    View next = state.view;
    next.members = members_due(state, now);
    if (may_change(state, next.members, now)) change_configuration(state, next);
    if (next != state.view) {
        ++next.number.number;
        apply(state, next);
    }
    if (state.done || !state.lease_until || !reported_by_all(state)) return;
    state.done = now;
    state.out.send = true;
    if (state.member() && !state.installed) serve(state);
}

} // namespace heartbeat
