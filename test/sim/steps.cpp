// SPDX-License-Identifier: Apache-2.0
#include "steps.hpp"

#include "faults.hpp"

namespace sim {

void form(World &world, unsigned first, unsigned last) {
    for (unsigned id = first; id <= last; ++id)
        world.after(world.scaled_between(0ms, 100ms), [&world, id] { world.start(id); });
    world.run_until(world.now() + world.options().scaled(2s));
    if (!world.settled()) throw Violation("P2: the cluster does not form");
}

void run_for(World &world, Duration low, Duration high) {
    world.run_until(world.now() + world.scaled_between(low, high));
}

void heal(World &world) {
    end_faults(world);
    world.run_until(world.now() + 6 * world.options().dead_after);
    world.check_one_owner();
    if (!world.settled()) throw Violation("P2: not settled after the faults");
}

void cut_both(World &world, unsigned one, unsigned other) {
    cut(world, one, other, world.options().scaled(60s));
    cut(world, other, one, world.options().scaled(60s));
}

unsigned leader_of(const World &world) {
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        if (const auto &view = world.node(id).applied; !view.members.empty())
            return heartbeat::index(view.number.leader);
    return 1;
}

void reweight(World &world, unsigned id, unsigned weight) {
    world.order(id, heartbeat::event::SetWeight{static_cast<std::uint8_t>(weight)});
}

void set_links(World &world, unsigned one, unsigned other, bool up) {
    world.link(one, other).up = world.link(other, one).up = up;
}

void stop(World &world, unsigned id) {
    world.node(id).wants_to_serve = false;
    world.order(id, heartbeat::event::Stop{});
}

heartbeat::Role role_of(const World &world, unsigned id) {
    const Node &node = world.node(id);
    if (!node.agent_up()) return heartbeat::Role::joining;
    return node.agent().status(node.local(world.now())).role;
}

Lives::Lives(const World &world) : world_(world) {
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        lives_.push_back(of(id));
}

void Lives::check_same(unsigned id) const {
    if (of(id) != lives_[id - 1])
        throw Violation("P3: node " + std::to_string(id) + " took a new life without need");
}

heartbeat::Life Lives::of(unsigned id) const {
    const Node &node = world_.node(id);
    return node.agent_up() ? node.agent().status(node.local(world_.now())).life : 0;
}

} // namespace sim
