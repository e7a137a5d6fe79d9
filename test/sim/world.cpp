// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace sim {

using heartbeat::index;
using heartbeat::NodeId;

namespace {

std::string text_of(Time time) {
    char text[32];
    std::snprintf(text, sizeof text, "%10.4f", static_cast<double>(time.count()) / 1e9);
    return text;
}

constexpr std::size_t kMostRecorded = 1000;
constexpr std::uint64_t kMostEventsASecond = 1000000; // 32 nodes have some 30,000

std::string name(unsigned id) { return "node " + std::to_string(id); }

} // namespace

World::World(std::uint64_t seed, const Options &options)
    : options_(options), random_(seed), attacker_(seed), nodes_(options.nodes + 1),
      links_(options.nodes + 1, std::vector<Link>(options.nodes + 1)),
      plain_({heartbeat::RuleOwnership{}}, kSimBuckets),
      weighted_({{.weights = {{NodeId{1}, 20}, {NodeId{2}, 70}}, .priority = {}}}, kSimBuckets) {
    std::uniform_real_distribution<double> drift(-options.max_drift_ppm, options.max_drift_ppm);
    for (unsigned id = 1; id <= options.nodes; ++id) {
        nodes_[id].id = NodeId{static_cast<std::uint8_t>(id)};
        nodes_[id].rate = 1 + drift(random_) * 1e-6;
        nodes_[id].offset = between(0s, 100s);
    }
    each_link([this](unsigned, unsigned, Link &link) { link = good_link(); });
    whole_.assign(options.nodes + 1, std::vector<bool>(options.nodes + 1, true));
    changed_.assign(options.nodes + 1, std::vector<Time>(options.nodes + 1, -1h));
    if (options.replays) replay();
}

// Time, chance, and what is known of them.

Duration World::between(Duration low, Duration high) {
    return Duration(
        std::uniform_int_distribution<std::int64_t>(low.count(), high.count())(random_));
}

Duration World::scaled_between(Duration low, Duration high) {
    return between(options_.scaled(low), options_.scaled(high));
}

bool World::chance(double probability) { return std::bernoulli_distribution(probability)(random_); }

unsigned World::any_node() {
    return std::uniform_int_distribution<unsigned>(1, options_.nodes)(random_);
}

void World::at(Time when, std::function<void()> action) {
    queue_.push({std::max(when, now_), ++order_, std::move(action)});
}

void World::later(Duration length, std::function<void()> action) {
    after(length, [this, action = std::move(action)] {
        if (faulty_) action();
    });
}

void World::run_until(Time end) {
    while (!queue_.empty() && queue_.top().when <= end) {
        auto action = std::move(const_cast<Entry &>(queue_.top()).action);
        if (queue_.top().when / 1s != now_ / 1s) events_ = 0;
        if (++events_ > kMostEventsASecond) throw Violation("the nodes talk without end");
        now_ = queue_.top().when;
        queue_.pop();
        action();
        survey_links();
    }
    now_ = end;
}

void World::trace(const std::string &text) {
    history_.push_back(text_of(now_) + "  " + text);
    if (options_.trace) std::printf("%s\n", history_.back().c_str());
    if (history_.size() > 400) history_.pop_front();
}

Link World::good_link() const {
    return {.delay_min = options_.scaled(50us), .delay_max = options_.scaled(2ms)};
}

void World::each_link(const std::function<void(unsigned, unsigned, Link &)> &change) {
    for (unsigned from = 1; from <= options_.nodes; ++from)
        for (unsigned to = 1; to <= options_.nodes; ++to)
            change(from, to, links_[from][to]);
}

void World::excuse(Duration length) { excused_until_ = std::max(excused_until_, now_ + length); }

void World::trouble(unsigned id, Duration length) {
    nodes_[id].troubled_until = std::max(nodes_[id].troubled_until, now_ + length);
}

// Fenced, or silent for longer than a lease when it has none, it has died for its peers: by itself,
// or since nobody started it again.
bool World::troubled(unsigned id) const {
    const Node &node = nodes_[id];
    const bool outside = node.applied.members.empty();
    const bool partitioned = excused() || (outside && now_ < excused_until_);
    const bool silent = outside ? now_ - node.last_beat > options_.lease()
                                : node.local(now_) >= node.filter.lease;
    return now_ < node.troubled_until || partitioned || node.written_off || silent;
}

// What happens to nodes.

heartbeat::Settings World::settings(const Node &node, heartbeat::Digest config) const {
    heartbeat::Settings settings;
    settings.self = node.id;
    for (unsigned other = 1; other <= options_.nodes; ++other)
        settings.nodes.push_back(nodes_[other].id);
    settings.interval = options_.interval;
    settings.dead_after = options_.dead_after;
    settings.partition = options_.partition;
    settings.witness = options_.partition == heartbeat::Partition::serve;
    settings.config = config;
    settings.section_names = {"cluster"};
    settings.sections = {static_cast<std::uint16_t>(config)};
    return settings;
}

void World::start(unsigned id) {
    Node &node = nodes_[id];
    node.host_up = true;
    if (node.agent_up) return;
    node.agent_up = true;
    node.stalled_until = node.paused_until;
    node.inbox.clear();
    node.witness_said.reset();
    node.known = {};
    node.config = node.file;
    const Time local = node.local(now_);
    using heartbeat::Membership;
    const heartbeat::Settings own = settings(node, node.config);
    const bool resumes = node.saved && Membership::resumable(*node.saved, own, local);
    trace(name(id) + (resumes ? " resumed" : " started"));
    node.membership = std::make_unique<Membership>(own, local, random_(), node.saved);
    if (resumes) {
        node.applied = node.saved->view; // as agent::Node does
        node.filter.mine = owners(node.saved->view).of[id];
        node.filter.lease = *node.saved->lease_until;
        check_one_owner();
    } else {
        node.filter.rebuild(local);
        node.applied = {};
        node.written_off = false;
        trouble(id, 2 * options_.dead_after);
    }
    turn(node);
}

void World::kill(unsigned id) {
    trace(name(id) + " killed");
    nodes_[id].agent_up = false;
    nodes_[id].membership.reset();
    nodes_[id].inbox.clear();
}

void World::crash(unsigned id) {
    kill(id);
    wake(id);
    nodes_[id].host_up = false;
    nodes_[id].saved.reset();
    nodes_[id].filter = {};
    nodes_[id].applied = {};
    check_gaps();
}

void World::stall(unsigned id, Duration length) {
    trace(name(id) + " stalls for" + text_of(length));
    Node &node = nodes_[id];
    node.stalled_until = std::max(node.stalled_until, now_ + length);
    at(node.stalled_until, [this, &node] { turn(node); });
}

void World::pause(unsigned id, Duration length) {
    Node &node = nodes_[id];
    if (!node.host_up || node.paused_at != kAwake) return;
    trace(name(id) + " pauses with its clock for" + text_of(length));
    node.paused_at = now_;
    node.paused_until = now_ + length;
    node.stalled_until = std::max(node.stalled_until, node.paused_until);
    trouble(id, length + 2 * options_.dead_after);
    at(node.paused_until, [this, id, until = node.paused_until] {
        if (nodes_[id].paused_until == until) wake(id);
    });
}

void World::wake(unsigned id) {
    Node &node = nodes_[id];
    if (now_ < node.stalled_until && now_ < node.paused_until) node.stalled_until = now_;
    if (node.paused_at == kAwake) return;
    node.offset -= Time(static_cast<std::int64_t>(
        static_cast<double>((now_ - node.paused_at).count()) * node.rate));
    node.slept_at = node.paused_at;
    node.paused_at = kAwake;
    node.paused_until = {};
    node.woke_at = now_;
    node.just_woken = node.host_up;
    node.woken = node.membership.get();
    after(options_.lease() + options_.interval, [this, &node, woke_at = now_] {
        if (node.woke_at == woke_at) node.just_woken = false;
    });
    turn(node);
}

void World::order(unsigned id, heartbeat::Event event) {
    Node &node = nodes_[id];
    if (!node.agent_up) return;
    if (now_ < node.stalled_until) // it waits for the agent to wake up
        return later(node.stalled_until - now_, [this, id, event] { order(id, event); });
    step(node, event);
    turn(node);
}

void World::reload(unsigned id, heartbeat::Digest file) {
    nodes_[id].file = file;
    order(id, heartbeat::event::Stage{settings(nodes_[id], file)});
}

// The agent's loop.

void World::turn(Node &node) {
    if (!node.agent_up || now_ < node.stalled_until) return;
    while (node.agent_up && !node.inbox.empty()) {
        auto beat = std::move(node.inbox.front());
        node.inbox.pop_front();
        const bool tells = node.just_woken && can_tell(node, *beat);
        const bool awake = !node.just_woken, readable = nodes_[index(beat->sender)].key == node.key;
        const heartbeat::Event event = readable ? heartbeat::Event(heartbeat::event::Received{*beat})
                                                : heartbeat::event::Unreadable{beat->sender};
        if (step(node, event) && awake && readable) get_to_know(node, *beat);
        if (tells) {
            node.just_woken = false;
            check_one_owner();
        }
    }
    if (node.agent_up) consult_witness(node);
    for (int i = 0; i < 8 && node.agent_up && node.local(now_) >= node.membership->wake_at(); ++i)
        step(node, heartbeat::event::Tick{});
    schedule_tick(node);
}

// That this machine has stood still: it was sent since, in a life that the process had exchanged beats with before.
bool World::can_tell(const Node &node, const heartbeat::Beat &beat) const {
    const Node::Known &known = node.known[index(beat.sender)];
    return node.woken == node.membership.get() && beat.life == known.life &&
           known.since + 4 * options_.interval < node.slept_at && known.until + options_.dead_after > node.slept_at &&
           beat.clock > nodes_[index(beat.sender)].local(node.woke_at);
}

void World::get_to_know(Node &node, const heartbeat::Beat &beat) const {
    const heartbeat::Quote own{node.id, node.saved ? node.saved->life : 0};
    const bool quotes_it = std::ranges::any_of(beat.quotes, [&](const heartbeat::Quote &quote) {
        return quote.peer == own.peer && quote.life == own.life;
    });
    Node::Known &known = node.known[index(beat.sender)];
    if (known.life != beat.life || now_ - known.until > options_.dead_after) known = {beat.life, now_, {}};
    if (quotes_it) known.until = now_;
}

// As Agent::consult_witness does.
void World::consult_witness(Node &node) {
    if (auto asked = std::exchange(node.witness_said, std::nullopt))
        step(node, heartbeat::event::WitnessAnswered{*asked});
    if (!node.agent_up) return;
    const Time local = node.local(now_);
    if (!node.membership->asks_witness(local)) return;
    if (!options_.witness) {
        if (node.carrier) step(node, heartbeat::event::WitnessAnswered{local});
        return;
    }
    if (local - node.witness_asked < options_.interval / 2) return;
    node.witness_asked = local;
    if (!node.speaks || !witness_answers_) return;
    after(scaled_between(100us, 4ms), [this, &node, local] {
        if (!node.hears || !node.agent_up) return;
        node.witness_said = local;
        turn(node);
    });
}

void World::schedule_tick(Node &node) {
    if (!node.agent_up || node.membership->wake_at() == heartbeat::kNever) return;
    const Time when = std::max(now_, node.world_time(node.membership->wake_at()));
    if (when >= node.tick_at && node.tick_at > now_) return; // an earlier one is queued
    node.tick_at = when;
    at(when, [this, &node, when] {
        if (node.tick_at == when) node.tick_at = heartbeat::kNever;
        turn(node);
    });
}

const heartbeat::Ownership &World::ownership(heartbeat::Digest config) const {
    return config <= 2 ? plain_ : weighted_;
}

const World::Owners &World::owners(const heartbeat::View &view) {
    Owners &owners = owners_[{view.config <= 2, view.members}];
    if (!owners.table.empty()) return owners;
    owners.table = *(view.config <= 2 ? plain_ : weighted_).tables(view).front();
    owners.of.resize(heartbeat::kMaxNodes + 1);
    for (unsigned bucket = 0; bucket < kSimBuckets; ++bucket)
        owners.of[index(owners.table[bucket])].set(bucket);
    return owners;
}

bool World::step(Node &node, const heartbeat::Event &event) {
    if (auto *stage = std::get_if<heartbeat::event::Stage>(&event))
        node.staged = stage->settings.config;
    const auto outcome = node.membership->step(node.local(now_), random_(), event);
    if (std::holds_alternative<heartbeat::event::Tick>(event)) set_guard(node); // one follows at once
    carry_out(node, outcome);
    return !outcome.refusal;
}

void World::set_guard(Node &node) {
    const auto guarded = node.membership->guarded();
    if (guarded == node.guarded) return;
    node.guarded = guarded;
    node.filter.guarded = buckets_of(guarded);
}

// In the order in which the agent does it: guard, lingering, tables, lease, and only then the beat.
void World::carry_out(Node &node, const heartbeat::Outcome &outcome) {
    const unsigned id = index(node.id);
    const Time local = node.local(now_);
    for (const auto &note : outcome.notes) {
        trace(name(id) + ": " + note.text);
        node.written_off |= note.kind == heartbeat::Note::Kind::fenced;
        if (watching_) check_life(node, note);
    }
    bool gains = false;
    for (const auto &action : outcome.actions)
        gains |= perform(node, action);
    const Time lease = node.membership->lease_until();
    gains |= lease > node.filter.lease && local >= node.filter.lease;
    if (std::exchange(node.filter.lease, lease) != lease) node.saved = node.membership->save();
    if (gains) check_one_owner();
    if (!outcome.actions.empty()) check_gaps();
    if (outcome.send) send(node);
}

bool World::perform(Node &node, const heartbeat::Action &action) {
    Filter &filter = node.filter;
    const Time local = node.local(now_);
    if (std::holds_alternative<heartbeat::action::Configure>(action)) {
        node.config = node.staged;
        return false;
    }
    if (auto *release = std::get_if<heartbeat::action::Release>(&action)) {
        check_view(node, release->view);
        node.applied = release->view;
        filter.release(owners(release->view).of[index(node.id)], local);
        if (ambush_ && release->view.number.leader == node.id)
            after(scaled_between(0ms, 3ms),
                  [leader = index(node.id), attack = std::exchange(ambush_, nullptr)] {
                      attack(leader);
                  });
        return false;
    }
    if (auto *serve = std::get_if<heartbeat::action::Serve>(&action)) {
        filter.mine = owners(serve->view).of[index(node.id)];
        if (std::exchange(node.written_off, false)) trouble(index(node.id), 2 * options_.dead_after);
        return true;
    }
    filter.release({}, local);
    node.applied = {}; // that life is over
    node.written_off |= now_ < excused_until_;
    return false;
}

void World::send(Node &node) {
    node.filter.tidy(node.local(now_));
    auto beat = std::make_shared<const heartbeat::Beat>(
        node.membership->beat(node.local(now_), groups_of(node.filter.lingering), 0));
    node.saved = node.membership->save();
    check_office(node, *beat);
    consider_transition(node, *beat);
    if (!node.agent_up) return; // killed between the note and the beat
    const unsigned from = index(node.id);
    if (now_ - node.last_beat > options_.lease()) trouble(from, 2 * options_.dead_after);
    node.last_beat = now_;
    if (options_.replays && recorded_.size() < kMostRecorded)
        recorded_.push_back(beat);
    else if (options_.replays && attacker_() % 16 == 0)
        recorded_[attacker_() % kMostRecorded] = beat;
    if (beat->state == heartbeat::NodeState::dead) { // farewell: it takes its addresses along
        node.agent_up = false;
        node.filter = {};
        node.saved.reset();
    }
    for (unsigned to = 1; to <= options_.nodes; ++to) {
        const Link &link = links_[from][to];
        if (to == from || !link.up || !node.speaks || !nodes_[to].hears) continue;
        if (link.loss > 0 && chance(link.loss)) continue;
        const int copies = link.duplicate > 0 && chance(link.duplicate) ? 2 : 1;
        for (int copy = 0; copy < copies; ++copy)
            after(between(link.delay_min, link.delay_max), [this, to, beat] { deliver(to, beat); });
    }
}

void World::consider_transition(Node &node, const heartbeat::Beat &beat) {
    if (!at_transition_ || !faulty_) return;
    std::uint64_t digest = 0;
    for (const std::uint64_t part :
         {static_cast<std::uint64_t>(beat.role), std::uint64_t{index(beat.choice)}, beat.term, beat.vote.term,
          beat.applied.term, beat.applied.number, std::uint64_t{beat.done}, std::uint64_t{node.saved->installed},
          std::uint64_t{node.saved->lease_until.has_value()}, node.saved->life})
        digest = (digest ^ part) * 0x100000001b3;
    if (std::exchange(node.seen, digest) != digest && chance(transition_probability_))
        at_transition_(index(node.id));
}

// One of the beats of any time and node, to any node, its sender too; some 25 a second and node.
void World::replay() {
    auto among = [this](std::uint64_t count) { return attacker_() % count; };
    if (!recorded_.empty()) {
        const unsigned to = 1 + static_cast<unsigned>(among(options_.nodes));
        if (nodes_[to].hears) deliver(to, recorded_[among(recorded_.size())]);
    }
    const Duration mean = options_.scaled(40ms) / options_.nodes;
    after(Duration(static_cast<std::int64_t>(among(2 * static_cast<std::uint64_t>(mean.count())))),
          [this] { replay(); });
}

void World::deliver(unsigned to, const std::shared_ptr<const heartbeat::Beat> &beat) {
    Node &node = nodes_[to];
    if (!node.agent_up || now_ < node.paused_until || node.inbox.size() > 4000) return;
    node.inbox.push_back(beat);
    turn(node);
}

} // namespace sim
