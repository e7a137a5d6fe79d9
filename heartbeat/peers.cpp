// SPDX-License-Identifier: Apache-2.0
//
// What is known of the other nodes, beat by beat. A beat *counts* when it quotes one of this node's
// own, of its present life and young: then its sender is alive in both directions, and the beat is
// no replay. One that does not count still shows that its sender exists and may be serving: it can
// delay a decision, never make one.
#include "heartbeat/state.hpp"

#include <algorithm>
#include <map>

namespace heartbeat {
namespace {

bool contains(const std::deque<Life> &lives, Life life) {
    return std::find(lives.begin(), lives.end(), life) != lives.end();
}

const Quote *quote_of_me(const State &state, const Beat &beat) {
    const auto quote = std::ranges::find(beat.quotes, state.settings.self, &Quote::peer);
    return quote == beat.quotes.end() ? nullptr : &*quote;
}

// When my beat that it quotes was sent, if that is of this life and young enough.
std::optional<Time> quoted_time(const State &state, const Beat &beat, Time now) {
    const Quote *quote = quote_of_me(state, beat);
    if (!quote || quote->life != state.life || state.sent.empty()) return std::nullopt;
    const auto at = quote->sequence - state.sent.front().first; // they are numbered one by one
    if (at >= state.sent.size() || now - state.sent[at].second >= state.settings.dead_after)
        return std::nullopt;
    return state.sent[at].second;
}

// It quotes what was heard of this node long ago: a replay, or from a node that takes a replay for
// this node.
bool stale(const State &state, const Beat &beat, Time now) {
    const Quote *quote = quote_of_me(state, beat);
    if (!quote || now - std::max(state.born, state.up_since) < oldest_quote(state)) return false;
    return quote->life != state.life || state.sent.empty() ||
           quote->sequence < state.sent.front().first;
}

bool alive(const State &state, const std::optional<Twin> &twin, Time now) {
    return twin && twin->counted && now - *twin->counted < state.settings.dead_after;
}

// A beat under this node's own id: its own, come back, or of another process that was given the
// same id; or a replay of a process before this one.
Refusal record_twin(State &state, Time now, const Beat &beat) {
    if (beat.life == state.life && beat.sequence > state.sequence) {
        end_life(state, now, "another process has gone on with this one");
        return Refusal::id_taken;
    }
    if (beat.life == state.life || contains(state.ended, beat.life)) return Refusal::own_echo;
    if (state.twin && state.twin->life == beat.life && beat.sequence <= state.twin->sequence)
        return Refusal::replayed;
    Twin twin{beat.life, beat.sequence, now, {}, beat.applied.term > 0};
    if (quoted_time(state, beat, now))
        twin.counted = now;
    else if (alive(state, state.twin, now) && state.twin->life != beat.life)
        return Refusal::id_taken; // it does not take the place of one that is alive
    else if (state.twin && state.twin->life == beat.life)
        twin.counted = state.twin->counted;
    if (alive(state, twin, now) && !alive(state, state.twin, now))
        state.note(Note::Kind::refused,
                   name(state, state.settings.self) + ": another process uses this id (id=" +
                       std::to_string(index(state.settings.self)) + ")");
    state.twin = twin;
    return Refusal::id_taken;
}

void claim(Peer &peer, const Beat &beat, Time now) {
    Claim latest{beat.life, beat.sequence, now, now};
    std::erase_if(peer.claims, [&](const Claim &former) {
        if (former.life == beat.life) latest.since = former.since;
        return former.life == beat.life;
    });
    peer.claims.push_back(latest);
    if (peer.claims.size() > kRememberedLives) peer.claims.pop_front();
}

// The life that has just claimed to be there did so beside a living one, for as long as a deaf node would be given, and
// has not proved itself: otherwise old beats of many lives would delay decisions again and again.
bool claimed_in_vain(const State &state, const Peer &peer, Time now) {
    return now - peer.claims.back().since >= 2 * state.settings.dead_after;
}

// The sender hears this node, and holds a place in a view that this node's own does not continue: leases that were
// granted there may be running.
void hear_of_other_views(State &state, Time now, const Beat &beat) {
    if (beat.applied.term > 0 && !follows_me(state, beat) && !state.view.holds(beat.sender, beat.life) &&
        quoted_time(state, beat, now))
        state.told_of_led = now;
}

// Another life than the believed one: the node was restarted or fenced, two processes share the id,
// or it is a late or replayed beat of an earlier life. What was not believed is quoted in its turn
// (Membership::beat), so that who is alive can prove it.
std::optional<Refusal> doubt(State &state, Peer &peer, const Beat &beat, Time now) {
    const bool known = contains(peer.superseded, beat.life);
    const bool ended = beat.previous == peer.life || peer.beat.state == NodeState::dead || // its own word
                       !state.fresh(peer, now, state.settings.dead_after);
    const bool proven =
        !state.counts(peer, now, state.settings.dead_after) && quoted_time(state, beat, now);
    if (!proven && (known || !ended)) {
        claim(peer, beat, now);
        hear_of_other_views(state, now, beat);
        if (quoted_time(state, beat, now)) peer.doubted = {beat.lingering, now};
        if (!known && !claimed_in_vain(state, peer, now) && beat.applied.term > 0) peer.anew = now;
        return known ? Refusal::superseded : Refusal::id_taken;
    }
    std::erase(peer.superseded, beat.life);
    std::erase_if(peer.claims, [&](const Claim &former) { return former.life == beat.life; });
    return std::nullopt;
}

void adopt_life(Peer &peer, const Beat &beat, Time now) {
    if (peer.life != 0) peer.superseded.push_back(peer.life);
    if (peer.superseded.size() > kRememberedLives) peer.superseded.pop_front();
    Peer fresh{.life = beat.life,
               .superseded = std::move(peer.superseded),
               .claims = std::move(peer.claims),
               .beat = {},
               .heard = now,
               .first_heard = now,
               .state_since = peer.state_since,
               .counted = {},
               .touched = peer.touched,
               .quoted = {},
               .active = {},
               .vouched = peer.vouched,
               .anew = {},
               .doubted = {},
               .ahead = {},
               .ahead_at = {},
               .mismatch = std::move(peer.mismatch)};
    peer = std::move(fresh);
}

// My clock is ahead of a peer's by at least the sending of a beat that it has quoted, and at most the coming of
// its own. When these contradict each other by more than two clocks can drift apart, mine stood still in between.
std::optional<Duration> least_ahead(const Peer &peer, Time now) {
    if (!peer.ahead) return std::nullopt;
    return *peer.ahead - (now - peer.ahead_at) / 500;
}

bool stood_still(const State &state, Time now, const Peer &peer, const Beat &beat) {
    const bool granted = state.member() || state.role == Role::leading;
    return granted && now - beat.clock + state.settings.interval / 50 < least_ahead(peer, now);
}

// By who supports, elects or follows this node, of others than it in its present office: each lease of another was
// granted for what one of them once followed.
void hear_of_leaders(State &state, Time now, const Beat &beat) {
    if (beat.choice != state.settings.self) return;
    auto told = [&](std::uint16_t ago_ms) {
        if (ago_ms == kLongAgo) return;
        state.told_of_led = std::max(state.told_of_led, std::optional(now - std::chrono::milliseconds(ago_ms)));
    };
    const bool mine = beat.led == Leadership{state.term, state.settings.self} &&
                      (state.role == Role::standing || state.role == Role::leading);
    if (!mine) told(beat.led_ago_ms);
    told(beat.formerly_led_ago_ms);
}

void hear_quotes(State &state, Time now, const Beat &beat) {
    for (const Quote &quote : beat.quotes) {
        if (quote.active_ago_ms == kLongAgo || quote.peer == state.settings.self) continue;
        const Time then = now - std::chrono::milliseconds(quote.active_ago_ms);
        auto &vouched = state.peers[index(quote.peer)].vouched;
        vouched = std::max(vouched.value_or(then), then);
    }
}

// So that both are in touch a moment after either has started, and a lease is granted a moment after an election: a
// beat is answered at once when it is the first of its life that is heard, when its sender has not heard this node
// yet though it had (a process that goes on with another's life), and when it begins to follow this node.
bool wants_answer(const State &state, const Peer &before, const Beat &beat) {
    if (before.life != beat.life) return true;
    const bool forgot = quote_of_me(state, before.beat) && !quote_of_me(state, beat);
    const bool new_follower = state.role == Role::leading && follows_me(state, beat) && !follows_me(state, before.beat);
    return forgot || new_follower;
}

} // namespace

std::optional<Refusal> record(State &state, Time now, const Beat &beat) {
    if (beat.sender == state.settings.self) return record_twin(state, now, beat);
    Peer &peer = state.peers[index(beat.sender)];
    if (beat.life == peer.life && beat.sequence <= peer.beat.sequence) return Refusal::replayed;
    if (stale(state, beat, now)) {
        claim(peer, beat, now);
        return Refusal::replayed;
    }
    if (beat.life != peer.life && peer.life != 0)
        if (const auto refusal = doubt(state, peer, beat, now)) return refusal;
    const bool same_state = state.fresh(peer, now, state.settings.dead_after) &&
                            peer.beat.state == beat.state;
    if (wants_answer(state, peer, beat)) // one for all that come together
        state.next_beat = std::min(state.next_beat, now + state.settings.interval / 50);
    if (beat.life != peer.life) adopt_life(peer, beat, now);

    if (!same_state) peer.state_since = now;
    // Its lease may be about to end: it needs an answer, not one in its turn.
    if (state.role == Role::leading && now - peer.heard > 2 * state.settings.interval)
        state.out.send = true;
    peer.beat = beat;
    peer.heard = now;
    if (stood_still(state, now, peer, beat)) {
        state.each_peer([](NodeId, Peer &other) { other.ahead.reset(); });
        end_life(state, now, "this machine's clock stood still while others' went on");
    }
    if (auto sent = quoted_time(state, beat, now)) {
        peer.counted = peer.touched = now;
        peer.quoted = std::max(peer.quoted.value_or(*sent), *sent);
        if (const Duration ahead = *sent - beat.clock; ahead >= least_ahead(peer, now)) {
            peer.ahead = ahead;
            peer.ahead_at = now;
        }
    }
    if (beat.applied.term > 0)
        peer.active = now;
    else
        peer.active.reset();
    hear_quotes(state, now, beat);
    if (beat.sender == state.choice && (beat.role == Role::leading || beat.role == Role::standing))
        note_led(state, beat.sender, beat.term, now);
    hear_of_leaders(state, now, beat);
    hear_of_other_views(state, now, beat);
    state.highest_term = std::max(
        {state.highest_term, beat.term, beat.vote.term, beat.highest.term, beat.applied.term, beat.electorate.term});
    if (!state.settings.lists(beat.sender)) return Refusal::unknown_node;
    return std::nullopt;
}

bool deaf(const State &state, const Peer &peer, Time now) {
    const Time since = std::max(peer.counted.value_or(peer.first_heard), state.born);
    return peer.life != 0 && now - since >= 2 * state.settings.dead_after;
}

bool compatible(const State &state, const Beat &beat) {
    return beat.config == state.settings.config || has_staged(beat, state.settings.config) ||
           (state.staged && beat.config == state.staged->config);
}

std::string difference(const State &state, const Beat &beat) {
    std::string names;
    for (std::size_t i = 0; i < state.settings.sections.size(); ++i) {
        const auto digest = state.settings.sections[i];
        if (std::find(beat.sections.begin(), beat.sections.end(), digest) != beat.sections.end())
            continue;
        names += (names.empty() ? "" : ", ") + state.settings.section_names[i];
    }
    if (!names.empty()) return names;
    return state.settings.sections.size() == beat.sections.size()
               ? "the order of the rules"
               : "sections that only the other one has";
}

namespace {

// Without a view the larger group of equal configurations wins, then the one with the lowest id.
bool outnumbered(const State &state, Time now, NodeId &by) {
    std::map<Digest, std::pair<int, NodeId>> groups; // size, lowest id
    auto add = [&](Digest config, NodeId id) {
        if (state.electorate.known() && !state.electorate.lists(id)) return;
        auto &[size, lowest] = groups.try_emplace(config, 0, id).first->second;
        ++size;
        lowest = std::min(lowest, id);
    };
    add(state.settings.config, state.settings.self);
    state.each_peer([&](NodeId id, const Peer &peer) {
        if (state.counts(peer, now, state.leader_timeout)) add(peer.beat.config, id);
    });
    const auto [size, lowest] = groups[state.settings.config];
    for (const auto &[config, group] : groups)
        if (group.first > size || (group.first == size && group.second < lowest)) {
            by = group.second;
            return true;
        }
    return false;
}

std::string why_refused(const State &state, Time now) {
    const auto &twin = state.twin;
    if (alive(state, twin, now) && !state.member() && (twin->active || twin->life < state.life))
        return "id " + std::to_string(index(state.settings.self)) +
               " is in use by another node";
    if (state.member()) return "";
    NodeId other = kNoNode;
    bool in_view = false;
    state.each_peer([&](NodeId id, const Peer &peer) {
        if (!state.counts(peer, now, state.leader_timeout)) return;
        if (!leads(peer.beat) && peer.beat.applied.term == 0) return;
        in_view = true;
        const Digest config = leads(peer.beat) ? peer.beat.view->config : peer.beat.config;
        if (!knows(state, config) && (other == kNoNode || leads(peer.beat))) other = id;
    });
    if (other == kNoNode &&
        (in_view || state.role == Role::leading || !outnumbered(state, now, other)))
        return "";
    return "configuration differs from " + name(state, other) + "'s in " +
           difference(state, state.peers[index(other)].beat) +
           (in_view ? "; it joins when that cluster has it in force (nlbctl reload all)" : "");
}

} // namespace

void judge_configurations(State &state, Time now) {
    state.each_peer([&](NodeId id, Peer &peer) {
        if (!state.fresh(peer, now, state.settings.dead_after)) return;
        std::string now_differs = compatible(state, peer.beat)
                                      ? std::string{}
                                      : "configuration differs in " + difference(state, peer.beat);
        if (now_differs == peer.mismatch) return;
        peer.mismatch = std::move(now_differs);
        state.note(Note::Kind::refused,
                   name(state, id) + ": " +
                       (peer.mismatch.empty() ? "configuration is the same again"
                                              : "refused: " + peer.mismatch));
    });
    std::string why = why_refused(state, now);
    if (why == state.refused_why) return;
    state.refused_why = std::move(why);
    state.out.send = true;
    state.note(
        Note::Kind::refused,
        name(state, state.settings.self) + ": " +
            (state.refused_why.empty() ? "no longer refused" : "refused: " + state.refused_why));
}

} // namespace heartbeat
