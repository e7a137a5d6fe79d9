// SPDX-License-Identifier: Apache-2.0
#include "faults.hpp"

#include <algorithm>

namespace sim {
namespace {

unsigned any_node(World &world) {
    return std::uniform_int_distribution<unsigned>(1, world.options().nodes)(world.random());
}

Duration mergetime(const World &world) { return 6 * world.options().dead_after; }

void for_links(World &world, const std::function<void(unsigned, unsigned, Link &)> &change) {
    for (unsigned from = 1; from <= world.options().nodes; ++from)
        for (unsigned to = 1; to <= world.options().nodes; ++to)
            change(from, to, world.link(from, to));
}

// One side hears nothing of the other; one_way: the other still hears it.
void partition(World &world, Duration length, bool one_way) {
    std::vector<bool> side(world.options().nodes + 1);
    for (std::size_t id = 1; id < side.size(); ++id)
        side[id] = world.chance(0.5);
    world.trace(one_way ? "one-way cut" : "partition");
    for_links(world, [&](unsigned from, unsigned to, Link &link) {
        if (side[from] != side[to] && (!one_way || side[from])) link.up = false;
    });
    world.excuse(length + mergetime(world));
    world.at(world.now() + length, [&world] {
        world.trace("links whole");
        for_links(world, [](unsigned, unsigned, Link &link) { link.up = true; });
    });
}

void cut_one_link(World &world, Duration length) {
    const unsigned from = any_node(world), to = any_node(world);
    world.trace("link " + std::to_string(from) + " to " + std::to_string(to) + " cut");
    world.link(from, to).up = false;
    world.excuse(length + mergetime(world));
    world.at(world.now() + length, [&world, from, to] {
        world.trace("link " + std::to_string(from) + " to " + std::to_string(to) + " whole");
        world.link(from, to).up = true;
    });
}

void bad_network(World &world, Duration length) {
    const double loss = world.chance(0.5) ? 0.01 : 0.1;
    const Duration delay = world.between(1ms, world.options().interval * 4 / 5);
    world.trace("loss and delay");
    for_links(world, [&](unsigned, unsigned, Link &link) {
        link.loss = loss;
        link.duplicate = loss;
        link.delay_max = delay;
    });
    world.at(world.now() + length, [&world] {
        world.trace("network good again");
        for_links(world, [](unsigned, unsigned, Link &link) { link = Link{.up = link.up}; });
    });
}

void restart(World &world, bool host) {
    const unsigned id = any_node(world);
    if (host)
        world.crash(id);
    else
        world.kill(id);
    world.at(world.now() + world.between(1ms, 3s), [&world, id] {
        world.start(id);
        world.node(id).wants_to_serve = true;
    });
}

void stop_and_start(World &world) {
    const unsigned id = any_node(world);
    if (!world.node(id).agent_up) return;
    world.trace("node " + std::to_string(id) + " ordered to stop");
    world.node(id).wants_to_serve = false;
    world.order(id, heartbeat::event::Stop{});
    world.at(world.now() + world.between(1ms, 3s), [&world, id] {
        world.trace("node " + std::to_string(id) + " ordered to start");
        world.node(id).wants_to_serve = true;
        world.order(id, heartbeat::event::Start{});
    });
}

void reweight(World &world) {
    const auto weight = std::uniform_int_distribution<unsigned>(1, 100)(world.random());
    world.order(any_node(world), heartbeat::event::SetWeight{static_cast<std::uint8_t>(weight)});
}

void fault(World &world) {
    const Duration dead_after = world.options().dead_after;
    switch (std::uniform_int_distribution<int>(0, 11)(world.random())) {
    case 0:
        return restart(world, true);
    case 1:
        return restart(world, false);
    case 2:
        return world.stall(any_node(world), world.between(1ms, 200ms));
    case 3:
        return world.stall(any_node(world), world.between(100ms, 3 * dead_after));
    case 4:
        return world.stall(any_node(world), world.between(dead_after * 3 / 4, dead_after * 5 / 4));
    case 5:
        return partition(world, world.between(50ms, 5s), false);
    case 6:
        return partition(world, world.between(50ms, 5s), true);
    case 7:
        return cut_one_link(world, world.between(50ms, 5s));
    case 8:
        return bad_network(world, world.between(1s, 10s));
    case 9:
        return stop_and_start(world);
    case 10:
        return reweight(world);
    default: // everybody at once
        for (unsigned id = 1; id <= world.options().nodes; ++id)
            if (world.chance(0.5)) world.stall(id, world.between(1ms, 2 * dead_after));
    }
}

} // namespace

Options draw_options(std::uint64_t seed) {
    std::mt19937_64 random(seed * 0x9e3779b97f4a7c15ull + 1);
    auto among = [&](unsigned low, unsigned high) {
        return std::uniform_int_distribution<unsigned>(low, high)(random);
    };
    Options options;
    const unsigned size = among(0, 99);
    options.nodes = size < 80 ? among(2, 6) : size < 95 ? among(7, 12) : among(16, 32);
    options.partition = among(0, 1) ? heartbeat::Partition::quorum : heartbeat::Partition::serve;
    return options;
}

void draw_faults(World &world, Duration length) {
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        world.at(world.between(0ms, world.chance(0.5) ? 20ms : 3s),
                 [&world, id] { world.start(id); });
    const double pace =
        std::uniform_real_distribution<double>(0.2, 3)(world.random()); // seconds between
    Time when = world.between(0s, 4s);
    while (when < length) {
        world.at(when, [&world] { fault(world); });
        when += world.between(0s, Duration(static_cast<std::int64_t>(pace * 2e9)));
    }
}

void end_faults(World &world) {
    for_links(world, [](unsigned, unsigned, Link &link) { link = Link{}; });
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        world.start(id);
    world.trace("faults end");
}

} // namespace sim
