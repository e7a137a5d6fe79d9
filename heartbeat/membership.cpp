// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/membership.hpp"

#include "heartbeat/state.hpp"

#include <algorithm>

namespace heartbeat {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

// An office and a place end with the lease; without one, as soon as one would.
std::optional<Time> place_until(const State &state) {
    if (!state.member() && state.role != Role::leading) return std::nullopt;
    return state.lease_until.value_or(state.held_since + state.lease);
}

void expire(State &state, Time now) {
    const auto until = place_until(state);
    if (!until || now < *until) return;
    if (!state.lease_until) return end_life(state, now, "no lease was granted");
    state.fenced = true;
    state.note(Note::Kind::fenced,
               name(state, state.settings.self) + ": fenced, its right to serve ran out");
    end_life(state, now, "lease expired");
}

Duration turn_of(const State &state) { return state.settings.interval * 3 / 4; }

// Before anything else, and on every event: what waited in the queue must not hide that it waited.
void notice_lateness(State &state, Time now) {
    if (now - state.next_tick <= state.settings.interval) return;
    state.late_until = now + 2 * state.settings.interval;
}

// The next moment at which something may be due without a beat having come.
Time next_deadline(const State &state, Time now) {
    Time next = state.next_beat;
    auto consider = [&](Time deadline) {
        if (deadline > now) next = std::min(next, deadline);
    };
    const Duration dead_after = state.settings.dead_after;
    if (const auto until = place_until(state)) consider(*until);
    consider(state.late_until);
    consider(state.started + dead_after);
    if (state.staged) consider(state.born + dead_after);
    if (state.role == Role::standing) consider(state.stood_at + state.leader_timeout);
    state.each_peer([&](NodeId, const Peer &peer) {
        if (peer.counted) consider(*peer.counted + state.leader_timeout);
        if (state.role == Role::leading && peer.life) consider(peer.heard + dead_after);
    });
    if (state.role == Role::leading)
        if (auto led = last_of_others(state)) consider(*led + dead_after);
    return next;
}

void decide(State &state, Time now) {
    while (!state.sent.empty() && now - state.sent.front().second >= oldest_quote(state))
        state.sent.pop_front();
    if (cut_off(state, now)) {
        const Duration said = now - std::max(state.deaf_at, state.started);
        if (said >= state.settings.dead_after)
            state.note(Note::Kind::refused,
                       "cluster: stays outside (alone, and " + state.settings.witness_silent + ")");
        state.deaf_at = now;
    }
    if (mute(state, now)) state.deaf_at = now;
    judge_configurations(state, now);
    choose(state, now);
    follow_view(state, now);
    configure_alone(state, now);
    extend_lease(state, now);
    lead(state, now);
    change_electorate(state, now);
    leave_when_released(state, now);
    if (now >= state.next_beat) {
        const bool early = state.sent.empty() || now - state.sent.back().second < turn_of(state);
        state.out.in_turn = !state.out.send && !early;
        state.out.send = true;
    }
    state.next_tick = next_deadline(state, now);
}

void wish(State &state, Wish wanted) {
    if (state.wish == Wish::leave || state.wish == wanted) return;
    state.wish = wanted;
    state.out.send = true;
}

struct Handler {
    State &state;
    Time now;

    void operator()(const event::Tick &) { decide(state, now); }
    void operator()(const event::Received &received) {
        state.out.refusal = record(state, now, received.beat);
    }
    void operator()(const event::SetWeight &set) {
        state.settings.weight = set.weight;
        state.out.send = true;
    }
    void operator()(const event::SetEligible &set) {
        state.settings.eligible = set.rules;
        state.out.send = true;
    }
    void operator()(const event::SetHealthy &set) {
        if (state.settings.healthy == set.rules) return;
        state.settings.healthy = set.rules;
        state.out.send = true;
    }
    void operator()(const event::Start &) { wish(state, Wish::serve); }
    void operator()(const event::Stop &) { wish(state, Wish::stop); }
    void operator()(const event::Leave &) { wish(state, Wish::leave); }
    void operator()(const event::Drain &) { wish(state, Wish::drain); }
    void operator()(const event::Suspend &) { wish(state, Wish::suspend); }
    void operator()(const event::Stage &stage) {
        state.staged.reset();
        state.awaited.clear();
        if (stage.settings.config != state.settings.config) {
            state.staged = stage.settings;
            for (const Member &member : state.view.members)
                if (member.id != state.settings.self) state.awaited.push_back(member.id);
        }
        state.out.send = true;
    }
    void operator()(const event::Restage &stage) {
        if (!state.staged || state.staged->config != stage.settings.config) return;
        state.staged = stage.settings;
        state.out.send = true;
    }
    // Its sender may be serving, and can be neither followed nor outvoted. A node with a place in a
    // view goes on: it was there first. Nor does it concern this node when its sender is heard, and so
    // another one has taken its name, or when a majority is together without it.
    void operator()(const event::Unreadable &beat) {
        if (state.member() || !may_be_of_mine(beat.claimed)) return;
        if (state.quorum() && electable(state, now)) return;
        if (!state.hears_unreadable(now))
            state.note(Note::Kind::refused, "cluster: stays outside (" + std::string(kUnreadable) + ")");
        state.unreadable_at = now;
    }
    bool may_be_of_mine(NodeId claimed) const {
        return claimed != state.settings.self && state.settings.lists(claimed) &&
               !state.counts(state.peers[index(claimed)], now, state.settings.dead_after);
    }
    void operator()(const event::Kept &done) { kept(state, done.electorate); }
    void operator()(const event::WitnessAnswered &answer) {
        state.witness_at = std::max(state.witness_at, answer.asked);
    }
};

std::uint16_t ago_ms(Time now, Time then) {
    const auto ago = duration_cast<milliseconds>(now - then).count();
    return static_cast<std::uint16_t>(std::clamp<decltype(ago)>(ago, 0, kLongAgo));
}

std::vector<Quote> quotes(const State &state, Time now) {
    const Duration age = 2 * state.settings.dead_after;
    std::vector<Quote> quotes;
    state.each_peer([&](NodeId id, const Peer &peer) {
        const Claim *claimed = peer.claims.empty() ? nullptr : &peer.claims.back();
        const bool answers = peer.touched && now - *peer.touched < state.settings.dead_after;
        if (claimed && !answers && now - claimed->when < age && claimed->when > peer.heard)
            return quotes.push_back({id, claimed->life, claimed->sequence, kLongAgo});
        if (!state.fresh(peer, now, age)) return;
        const bool vouch = peer.active && !deaf(state, peer, now);
        quotes.push_back(
            {id, peer.life, peer.beat.sequence, vouch ? ago_ms(now, *peer.active) : kLongAgo});
    });
    if (const auto &twin = state.twin; twin && now - twin->heard < age)
        quotes.push_back({state.settings.self, twin->life, twin->sequence, kLongAgo});
    std::ranges::sort(quotes, {}, &Quote::peer);
    return quotes;
}

// So it is known what each of them holds. One that is no longer listed is known by others' quotes; without any, by nothing.
bool all_heard(const State &state) {
    NodeBits counted = bit(state.settings.self), known = 0;
    state.each_peer([&](NodeId id, const Peer &peer) {
        known |= bit(id);
        for (const Quote &quote : peer.beat.quotes)
            known |= bit(quote.peer);
        if (peer.counted) counted |= bit(id);
    });
    return known != 0 && (known & ~counted) == 0;
}

} // namespace

bool Settings::lists(NodeId id) const { return std::ranges::count(nodes, id) > 0; }

Membership::Membership(Settings settings, Time now, Life life, const std::optional<Saved> &saved,
                       const Electorate &kept)
    : state_(std::make_unique<State>()) {
    State &state = *state_;
    state.settings = std::move(settings);
    state.leader_timeout = 3 * state.settings.interval;
    state.lease = state.settings.dead_after - 2 * state.settings.interval;
    state.life = life != 0 ? life : 1;
    state.started = state.up_since = state.born = now;
    state.last_step = state.next_beat = state.next_tick = now;
    state.shown_since = now;
    if (state.quorum()) state.electorate = kept;
    state.highest_term = state.electorate.term;
    if (!saved) return;
    state.highest_term = std::max(state.highest_term, saved->highest_term);
    state.vote = saved->vote;
    state.led = saved->led;
    state.formerly_led = saved->formerly_led;
    if (!resumable(*saved, state.settings, now)) {
        state.previous = saved->life;
        state.ended.push_back(saved->life);
        if (state.life == state.previous) ++state.life;
        return;
    }
    // The roles of the past are not resumed: a former leader is elected again, and nothing moves by
    // that.
    static_cast<Saved &>(state) = *saved;
    state.highest_term = std::max(state.highest_term, state.electorate.term);
    for (const Member &member :
         state.view.members) // not heard yet, but not to be passed over either
        state.peers[index(member.id)].vouched = now;
}

Saved Membership::save() const {
    Saved saved = *state_;
    if (!state_->member()) saved.lease_until.reset();
    return saved;
}

bool Membership::resumable(const Saved &saved, const Settings &settings, Time now) {
    return saved.life != 0 && saved.installed && saved.view.holds(settings.self, saved.life) &&
           saved.view.config == settings.config && saved.lease_until &&
           now >= saved.started && now < *saved.lease_until;
}

bool Membership::asks_witness(Time now) const {
    return state_->settings.witness && quiet(*state_, now);
}
Membership::~Membership() = default;
Membership::Membership(Membership &&) noexcept = default;
Membership &Membership::operator=(Membership &&) noexcept = default;

Outcome Membership::step(Time now, std::uint64_t random, const Event &event) {
    State &state = *state_;
    now = std::max(now, state.last_step);
    state.last_step = now;
    state.random = random;
    state.out = {};
    if (state.gone) return {};
    notice_lateness(state, now);
    expire(state, now);
    std::visit(Handler{state, now}, event);
    if (!std::holds_alternative<event::Tick>(event))
        state.next_tick = std::min(state.next_tick, now);
    if (const NodeState shown = state_of(state); shown != state.shown) {
        state.shown = shown;
        state.shown_since = now;
    }
    return std::move(state.out);
}

Duration Membership::turn() const { return turn_of(*state_); }

Beat Membership::beat(Time now, const GroupSet &lingering, Digest ownership) {
    State &state = *state_;
    const Settings &settings = state.settings;
    Beat beat;
    beat.sender = settings.self;
    beat.life = state.life;
    beat.previous = state.previous;
    beat.sequence = ++state.sequence;
    beat.clock = now;
    beat.state = state_of(state);
    beat.weight = wished_weight(state);
    beat.eligible = settings.eligible;
    beat.healthy = settings.healthy;
    beat.role = state.role;
    beat.choice = state.choice;
    beat.term = state.term;
    beat.may_lead = may_lead(state, now);
    beat.vote = state.vote;
    beat.highest = highest_leader(state, now);
    if (state.member()) beat.applied = state.view.number;
    if (state.role == Role::leading) {
        beat.done = state.done.has_value();
        const auto left = duration_cast<milliseconds>(state.lease_until.value_or(now) - now).count();
        beat.lease_left_ms = static_cast<std::uint32_t>(std::max<decltype(left)>(0, left));
        note_led(state, settings.self, state.term, now);
    }
    if (state.role == Role::leading || (state.member() && state.role != Role::following))
        beat.view = state.view;
    if (state.led.leader != kNoNode) {
        beat.led = {state.led.term, state.led.leader};
        beat.led_ago_ms = ago_ms(now, state.led.when);
    }
    if (state.formerly_led) beat.formerly_led_ago_ms = ago_ms(now, *state.formerly_led);
    beat.config = settings.config;
    if (state.staged) {
        beat.staged = state.staged->config;
        beat.staged_eligible = state.staged->eligible;
        beat.staged_healthy = state.staged->healthy;
    }
    beat.sections = settings.sections;
    beat.electorate = state.electorate;
    beat.ownership = ownership;
    beat.lingering = lingering;
    beat.quotes = quotes(state, now);

    state.sent.emplace_back(beat.sequence, now);
    const auto jitter = settings.interval / 4 / 256 * static_cast<std::int64_t>(state.random >> 56);
    state.next_beat = now + turn_of(state) + jitter;
    state.next_tick = next_deadline(state, now);
    return beat;
}

Time Membership::wake_at() const { return state_->gone ? kNever : state_->next_tick; }

Time Membership::lease_until() const {
    return state_->member() ? state_->lease_until.value_or(Time{}) : Time{};
}

bool Membership::active() const {
    const Member *self = state_->view.find(state_->settings.self);
    return self != nullptr && self->weight > 0 && state_of(*state_) == NodeState::active;
}

GroupSet Membership::guarded() const {
    const State &state = *state_;
    GroupSet all, groups{};
    all.fill(~std::uint64_t{0});
    if (state.last_step - state.up_since < state.settings.dead_after && !all_heard(state)) return all;
    if (state.member())
        for (const Member &member : state.view.members) {
            const Peer &peer = state.peers[index(member.id)];
            if (member.id != state.settings.self &&
                (peer.life != member.life || peer.beat.applied < state.view.number))
                return all;
        }
    state.each_peer([&](NodeId id, const Peer &) {
        const GroupSet held = held_by(id);
        for (std::size_t i = 0; i < groups.size(); ++i)
            groups[i] |= held[i];
    });
    return groups;
}

GroupSet Membership::held_by(NodeId id) const {
    const State &state = *state_;
    const Peer &peer = state.peers[index(id)];
    const Member *member = id == state.settings.self ? nullptr : state.view.find(id);
    const bool fresh = state.fresh(peer, state.last_step, state.settings.dead_after);
    const bool known = member && peer.life == member->life; // by its leader's word, if not heard here
    GroupSet groups{};
    if (state.member() && member && (!known || (!fresh && peer.beat.applied < state.view.number))) {
        groups.fill(~std::uint64_t{0}); // the leader hears it, and this node does not
        return groups;
    }
    const bool says = (fresh || known) && peer.beat.state != NodeState::dead;
    const bool doubted = state.last_step - peer.doubted.when < state.settings.dead_after;
    for (std::size_t i = 0; i < groups.size(); ++i)
        groups[i] = (says ? peer.beat.lingering[i] : 0) | (doubted ? peer.doubted.lingering[i] : 0);
    return groups;
}

} // namespace heartbeat
