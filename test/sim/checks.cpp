// SPDX-License-Identifier: Apache-2.0
// The promises, checked while the cluster runs. (P3, the clients' side, is in clients.cpp.)
#include "world.hpp"

#include <algorithm>

namespace sim {

using heartbeat::index;

namespace {

std::string name(const Node &node) { return "node " + std::to_string(index(node.id)); }

} // namespace

Buckets World::accepting(const Node &node) const {
    return node.host_up && now_ >= node.paused_until && node.local(now_) < node.host.lease() ? node.host.mine() : Buckets{};
}

Buckets World::served() const {
    Buckets taken;
    for (unsigned id = 1; id <= options_.nodes; ++id)
        if (options_.planes == 1 || nodes_[id].reached_by_clients()) taken |= accepting(nodes_[id]);
    return taken;
}

bool World::whole(unsigned from, unsigned to) const {
    for (unsigned plane = 0; plane < options_.planes; ++plane) {
        const Link &link = links_[plane][from][to];
        if (link.up && link.loss <= 0.1 && link.delay_max <= options_.interval && nodes_[from].speaks(plane) &&
            nodes_[to].hears(plane))
            return true;
    }
    return false;
}

void World::survey_links() {
    if (now_ - surveyed_ < options_.interval / 10) return;
    surveyed_ = now_;
    each_link(kClientsPlane, [this](unsigned from, unsigned to, Link &) {
        const bool now_whole = whole(from, to);
        if (now_whole != whole_[from][to]) changed_[from][to] = now_;
        whole_[from][to] = now_whole;
    });
    if (options_.planes > 1) excuse_the_parted();
}

bool World::hear_each_other(unsigned one, unsigned other) const {
    const Duration merge = options_.dead_after;
    return one == other || (whole_[one][other] && whole_[other][one] && now_ - changed_[one][other] >= merge &&
                            now_ - changed_[other][one] >= merge);
}

// Not: one of those who hear each other and the same others, with nothing in between.
bool World::both_may_serve(unsigned one, unsigned other) const {
    if (nodes_[one].just_woken || nodes_[other].just_woken) return true;
    if (!excused()) return false;
    if (!hear_each_other(one, other)) return true;
    for (unsigned id = 1; id <= options_.nodes; ++id) {
        if (!hear_each_other(one, id)) continue;
        for (unsigned third = 1; third <= options_.nodes; ++third) {
            const bool heard = hear_each_other(id, third);
            const bool apart = id != third && !whole_[id][third] && !whole_[third][id];
            if ((!heard && !apart) || heard != hear_each_other(one, third)) return true;
        }
    }
    return false;
}

void World::check_one_owner() {
    Buckets taken;
    bool twice = false;
    for (unsigned id = 1; id <= options_.nodes; ++id) {
        const Buckets accepted = accepting(nodes_[id]);
        twice |= (taken & accepted).any();
        taken |= accepted;
    }
    if (!twice) return;
    for (unsigned one = 1; one <= options_.nodes; ++one)
        for (unsigned other = one + 1; other <= options_.nodes; ++other) {
            const auto both = (accepting(nodes_[one]) & accepting(nodes_[other])).count();
            if (both && !both_may_serve(one, other))
                throw Violation("P1: two owners of " + std::to_string(both) + " buckets, node " +
                                std::to_string(one) + " and node " + std::to_string(other));
        }
}

// Of the proof: an office and a place end with the lease, or as soon as one would.
void World::check_office(Node &node, const heartbeat::Beat &beat) {
    const Time local = node.local(now_);
    const bool holds = beat.role == heartbeat::Role::leading || beat.applied.term > 0;
    if (!holds || beat.lease_left_ms > 0 || node.saved->lease_until) return node.unleased_since.reset();
    if (!node.unleased_since) node.unleased_since = local;
    if (local - *node.unleased_since > options_.lease())
        throw Violation(name(node) + " holds an office or a place without a lease");
}

// A view never goes back within a life, names the node's own configuration, and is the same for
// all: what a number stands for, members and so the owners of every bucket, has one author.
void World::check_view(const Node &node, const heartbeat::View &view) {
    if (view.number < node.applied.number) throw Violation(name(node) + " went back to an older view");
    if (node.agent_up() && view.config != node.agent().config())
        throw Violation(name(node) + " is in a view of another configuration");
    check_movement(node.applied, view);
    for (const Node &other : nodes_) // a life without a lease is over, and may not know it yet
        if (accepting(other).any() && !other.just_woken && other.applied.number == view.number &&
            other.applied != view)
            throw Violation("two different views of one number");
}

// While gaps are watched nothing goes wrong but what the examination does: a life ends by an order
// alone.
void World::check_life(const Node &node, const heartbeat::Note &note) {
    const bool ends =
        note.kind == heartbeat::Note::Kind::life || note.kind == heartbeat::Note::Kind::fenced;
    if (ends && note.text.find("left the cluster") == std::string::npos)
        throw Violation("P3: " + name(node) +
                        " gives up its connections without need: " + note.text);
}

// P4: a bucket changes hands only when its owner has gone or has less weight, or its new one has
// come or has more.
void World::check_movement(const heartbeat::View &before, const heartbeat::View &after) {
    if (before.members.empty() || before.config != after.config) return;
    auto weight = [this](const heartbeat::View &view, heartbeat::NodeId id) {
        return ownership(view.config).weight(view, 0, id);
    };
    const auto &old_table = owners(before);
    const auto &new_table = owners(after);
    for (unsigned bucket = 0; bucket < filter::kBuckets; ++bucket) {
        const auto from = old_table[bucket], to = new_table[bucket];
        if (from != to && weight(after, from) >= weight(before, from) &&
            weight(after, to) <= weight(before, to))
            throw Violation("P4: bucket " + std::to_string(bucket) + " moved from node " +
                            std::to_string(index(from)) + " to node " + std::to_string(index(to)) +
                            " without need");
    }
}

void World::allow_gaps(const Buckets &buckets, Duration length) {
    if (!watching_) unserved_.reset();
    watching_ = true;
    for (unsigned bucket = 0; bucket < filter::kBuckets; ++bucket)
        gap_allowed_[bucket] = buckets[bucket] ? length : 0ms;
    check_gaps();
}

void World::check_gaps() {
    if (!watching_) return;
    const Buckets unserved = ~served();
    const Buckets watched = unserved | unserved_;
    for (auto bucket = watched._Find_first(); bucket < filter::kBuckets;
         bucket = watched._Find_next(bucket)) {
        if (!unserved_[bucket]) unserved_since_[bucket] = now_;
        const Duration gap = now_ - unserved_since_[bucket];
        if (gap > gap_allowed_[bucket])
            throw Violation("P2: bucket " + std::to_string(bucket) + " without an owner for " +
                            std::to_string(gap / 1us) + " us, allowed are " +
                            std::to_string(gap_allowed_[bucket] / 1us));
    }
    unserved_ = unserved;
}

// A fault of the glue: the node would tell of buckets that its filter does not serve, or serve what it does not tell of.
void World::check_filter(const Node &node) {
    const std::string what(node.agent().differs());
    if (!what.empty()) throw Violation(name(node) + "'s filter has " + what + " otherwise than the node");
}

Groups World::guarded_for_nothing() const {
    Groups found;
    for (const Node &node : nodes_) {
        if (!node.agent_up()) continue;
        Groups held;
        for (const Node &other : nodes_)
            if (other.id != node.id) held |= other.host.lingering();
        found |= node.host.guarded() & ~held;
    }
    return found;
}

bool World::settled() const {
    std::optional<heartbeat::ViewNumber> number;
    bool eligible = false;
    for (unsigned id = 1; id <= options_.nodes; ++id) {
        const Node &node = nodes_[id];
        if (!node.agent_up() || !node.wants_to_serve || !listed(id)) continue;
        if (options_.planes > 1 && !node.reached_by_clients()) continue; // it may have noticed
        const auto status = node.agent().status(node.local(now_));
        if (!status.installed || (number && *number != status.view.number)) return false;
        number = status.view.number;
        eligible |= ownership(node.agent().config()).weight(status.view, 0, node.id) > 0;
    }
    return !eligible || served().all();
}

} // namespace sim
