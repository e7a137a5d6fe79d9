// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <algorithm>
#include <cstdio>

namespace sim {

using heartbeat::NodeId;

namespace {

std::string text_of(Time time) {
    char text[32];
    std::snprintf(text, sizeof text, "%10.4f", static_cast<double>(time.count()) / 1e9);
    return text;
}

} // namespace

World::World(std::uint64_t seed, const Options &options)
    : options_(options), random_(seed), nodes_(options.nodes + 1),
      links_(options.nodes + 1, std::vector<Link>(options.nodes + 1)),
      ownership_({heartbeat::RuleOwnership{}}, kSimBuckets) {
    std::uniform_real_distribution<double> drift(-options.max_drift_ppm, options.max_drift_ppm);
    for (unsigned id = 1; id <= options.nodes; ++id) {
        nodes_[id].id = NodeId{static_cast<std::uint8_t>(id)};
        nodes_[id].rate = 1 + drift(random_) * 1e-6;
        nodes_[id].offset = between(0s, 100s);
    }
}

Duration World::between(Duration low, Duration high) {
    return Duration(
        std::uniform_int_distribution<std::int64_t>(low.count(), high.count())(random_));
}

bool World::chance(double probability) { return std::bernoulli_distribution(probability)(random_); }

void World::at(Time when, std::function<void()> action) {
    queue_.push({std::max(when, now_), ++order_, std::move(action)});
}

void World::run_until(Time end) {
    while (!queue_.empty() && queue_.top().when <= end) {
        auto action = std::move(const_cast<Entry &>(queue_.top()).action);
        now_ = queue_.top().when;
        queue_.pop();
        action();
    }
    now_ = end;
}

void World::trace(const std::string &text) {
    history_.push_back(text_of(now_) + "  " + text);
    if (options_.trace) std::printf("%s\n", history_.back().c_str());
    if (history_.size() > 400) history_.pop_front();
}

void World::start(unsigned id) {
    Node &node = nodes_[id];
    node.host_up = true;
    if (node.agent_up) return;
    node.agent_up = true;
    node.stalled_until = {};
    node.inbox.clear();
    heartbeat::Settings settings;
    settings.self = node.id;
    for (unsigned other = 1; other <= options_.nodes; ++other)
        settings.nodes.push_back(nodes_[other].id);
    settings.interval = options_.interval;
    settings.dead_after = options_.dead_after;
    settings.partition = options_.partition;
    settings.config = node.config;
    settings.section_names = {"cluster"};
    settings.sections = {static_cast<std::uint16_t>(node.config)};
    const Time local = node.local(now_);
    const bool resumes =
        node.saved && heartbeat::Membership::resumable(*node.saved, node.id, local);
    trace("node " + std::to_string(id) + (resumes ? " resumed" : " started"));
    if (resumes) {
        node.membership = std::make_unique<heartbeat::Membership>(settings, local, *node.saved);
    } else {
        node.membership = std::make_unique<heartbeat::Membership>(settings, local, random_());
        node.filter.rebuild(local);
        node.applied = {};
        trouble(id, 2 * options_.dead_after);
    }
    turn(node);
}

void World::trouble(unsigned id, Duration length) {
    nodes_[id].troubled_until = std::max(nodes_[id].troubled_until, now_ + length);
}

void World::kill(unsigned id) {
    trace("node " + std::to_string(id) + " killed");
    nodes_[id].agent_up = false;
    nodes_[id].membership.reset();
    nodes_[id].inbox.clear();
    // Until a successor is there nobody speaks for its connections; with one in time nothing
    // happens at all.
    at(now_ + options_.dead_after - 3 * options_.interval, [this, id] {
        if (!nodes_[id].agent_up) trouble(id, heartbeat::kNever / 4);
    });
}

void World::crash(unsigned id) {
    kill(id);
    nodes_[id].host_up = false;
    nodes_[id].saved.reset();
    nodes_[id].filter = {};
}

void World::stall(unsigned id, Duration length) {
    trace("node " + std::to_string(id) + " stalls for" + text_of(length));
    Node &node = nodes_[id];
    node.stalled_until = std::max(node.stalled_until, now_ + length);
    if (length > options_.dead_after / 4) trouble(id, length + 2 * options_.dead_after);
    at(node.stalled_until, [this, &node] { turn(node); });
}

void World::order(unsigned id, heartbeat::Event event) {
    Node &node = nodes_[id];
    if (!node.agent_up) return;
    carry_out(node, node.membership->step(node.local(now_), random_(), event));
    turn(node);
}

void World::excuse(Duration length) { excused_until_ = std::max(excused_until_, now_ + length); }

void World::turn(Node &node) {
    if (!node.agent_up || now_ < node.stalled_until) return;
    while (!node.inbox.empty()) {
        auto beat = std::move(node.inbox.front());
        node.inbox.pop_front();
        ++steps_;
        carry_out(node, node.membership->step(node.local(now_), random_(),
                                              heartbeat::event::Received{*beat}));
    }
    for (int i = 0; i < 8 && node.agent_up && node.local(now_) >= node.membership->wake_at(); ++i) {
        ++steps_;
        carry_out(node,
                  node.membership->step(node.local(now_), random_(), heartbeat::event::Tick{}));
    }
    schedule_tick(node);
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

const Buckets &World::owned(const heartbeat::View &view, NodeId id) {
    auto &sets = tables_[view.members];
    if (sets.empty()) {
        sets.resize(heartbeat::kMaxNodes + 1);
        const auto table = ownership_.tables(view).front();
        for (unsigned bucket = 0; bucket < kSimBuckets; ++bucket)
            sets[heartbeat::index((*table)[bucket])].set(bucket);
    }
    return sets[heartbeat::index(id)];
}

void World::check_view(Node &node, const heartbeat::View &view) {
    if (view.number < node.applied)
        throw Violation("node " + std::to_string(heartbeat::index(node.id)) +
                        " went back to an older view");
    node.applied = view.number;
    for (unsigned other = 1; other <= options_.nodes; ++other) {
        if (accepting(nodes_[other]).none() || !nodes_[other].agent_up || now_ < excused_until_)
            continue;
        const auto &theirs = nodes_[other].membership->status(nodes_[other].local(now_)).view;
        if (theirs.number == view.number && theirs != view)
            throw Violation("two different views of one number");
    }
}

// In the order in which the agent does it: guard, lingering, tables, lease, and only then the beat.
void World::carry_out(Node &node, heartbeat::Outcome outcome) {
    const std::string who = "node " + std::to_string(heartbeat::index(node.id)) + ": ";
    const Time local = node.local(now_);
    Filter &filter = node.filter;
    for (const auto &note : outcome.notes) {
        trace(who + note.text);
        if (note.kind == heartbeat::Note::Kind::fenced)
            trouble(heartbeat::index(node.id), 2 * options_.dead_after);
    }
    const auto guarded = node.membership->guarded();
    for (unsigned bucket = 0; bucket < kSimBuckets; ++bucket)
        filter.guarded[bucket] = guarded[bucket / 64] >> bucket % 64 & 1;
    bool gains = false;
    for (const auto &action : outcome.actions) {
        if (auto *release = std::get_if<heartbeat::action::Release>(&action)) {
            check_view(node, release->view);
            filter.release(owned(release->view, node.id), local);
        } else if (auto *serve = std::get_if<heartbeat::action::Serve>(&action)) {
            filter.mine = owned(serve->view, node.id);
            gains = true;
            trace(who + "serves " + std::to_string(filter.mine.count()));
        } else {
            filter.release({}, local);
            node.applied = {}; // that life is over
        }
    }
    const Time lease = node.membership->lease_until();
    gains |= lease > filter.lease && local >= filter.lease;
    filter.lease = lease;
    if (gains) check_one_owner();
    if (outcome.send) send(node);
}

void World::send(Node &node) {
    node.filter.tidy(node.local(now_));
    auto beat = std::make_shared<const heartbeat::Beat>(
        node.membership->beat(node.local(now_), node.filter.lingering_groups(), 0));
    node.saved = node.membership->save();
    if (beat->state == heartbeat::NodeState::dead) node.agent_up = false;
    const unsigned from = heartbeat::index(node.id);
    for (unsigned to = 1; to <= options_.nodes; ++to) {
        const Link &link = links_[from][to];
        if (to == from || !link.up || !nodes_[to].host_up || chance(link.loss)) continue;
        const int copies = link.duplicate > 0 && chance(link.duplicate) ? 2 : 1;
        for (int copy = 0; copy < copies; ++copy)
            at(now_ + between(link.delay_min, link.delay_max), [this, to, beat] {
                if (!nodes_[to].agent_up || nodes_[to].inbox.size() > 4000) return;
                nodes_[to].inbox.push_back(beat);
                turn(nodes_[to]);
            });
    }
}

Buckets World::accepting(const Node &node) const {
    return node.host_up && node.local(now_) < node.filter.lease ? node.filter.mine : Buckets{};
}

void World::check_one_owner() {
    if (excused()) return;
    Buckets taken;
    for (unsigned id = 1; id <= options_.nodes; ++id) {
        const Buckets accepted = accepting(nodes_[id]);
        if ((taken & accepted).any()) {
            std::string who;
            for (unsigned other = 1; other <= options_.nodes; ++other)
                if (auto n = accepting(nodes_[other]).count())
                    who += " node " + std::to_string(other) + ":" + std::to_string(n);
            throw Violation("P1: two owners of " + std::to_string((taken & accepted).count()) +
                            " buckets," + who);
        }
        taken |= accepted;
    }
}

bool World::anyone_eligible() const {
    return std::any_of(nodes_.begin() + 1, nodes_.end(),
                       [](const Node &node) { return node.agent_up && node.wants_to_serve; });
}

unsigned World::unserved() const {
    Buckets taken;
    for (unsigned id = 1; id <= options_.nodes; ++id)
        taken |= accepting(nodes_[id]);
    return static_cast<unsigned>(kSimBuckets - taken.count());
}

bool World::settled() const {
    std::optional<heartbeat::ViewNumber> number;
    for (unsigned id = 1; id <= options_.nodes; ++id) {
        const Node &node = nodes_[id];
        if (!node.agent_up || !node.wants_to_serve) continue;
        const auto status = node.membership->status(node.local(now_));
        if (!status.installed || (number && *number != status.view.number)) return false;
        number = status.view.number;
    }
    return !number || unserved() == 0;
}

} // namespace sim
