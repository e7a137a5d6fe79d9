// SPDX-License-Identifier: Apache-2.0
#include "faults.hpp"

#include <algorithm>
#include <cmath>

namespace sim {
namespace {

// Until both halves of a partition have become one again: a leader that has to give way learns so at once,
// and what it granted ends within a lease. Of connections, until they have joined.
Duration merge_time(const World &world) { return world.options().dead_after; }
Duration join_time(const World &world) { return 6 * world.options().dead_after; }

void start_later(World &world, unsigned id, Duration shortest, Duration longest) {
    world.later(world.scaled_between(shortest, longest), [&world, id] { world.start(id); });
}

void random_partition(World &world, bool one_way) {
    std::vector<bool> side(world.options().nodes + 1);
    for (std::size_t id = 1; id < side.size(); ++id)
        side[id] = world.chance(0.5);
    partition(world, side, one_way, world.scaled_between(50ms, 5s));
}

void one_link(World &world) {
    cut(world, world.any_node(), world.any_node(), world.scaled_between(50ms, 5s));
}

// Loss, duplicates, and delays that put beats out of order.
void bad_network(World &world) {
    const double loss = world.chance(0.5) ? 0.01 : 0.1;
    const Duration delay = world.between(world.options().interval / 50,
                                         world.options().interval * 4 / 5);
    world.trace("loss and delay");
    world.each_link([&](unsigned, unsigned, Link &link) {
        link.loss = link.duplicate = loss;
        link.delay_max = std::max(delay, link.delay_min);
    });
    world.later(world.scaled_between(1s, 10s), [&world] {
        world.trace("network good again");
        world.each_link([&](unsigned, unsigned, Link &link) {
            const bool up = link.up;
            link = world.good_link();
            link.up = up;
        });
    });
}

// Beats that are older than any time-out when they come: worse than lost.
void late_network(World &world) {
    const Duration length = world.scaled_between(200ms, 3s);
    world.trace("beats late by seconds");
    world.excuse(length + 3 * world.options().dead_after + merge_time(world));
    world.each_link([&](unsigned, unsigned, Link &link) {
        link.delay_max = 3 * world.options().dead_after;
    });
    world.later(length, [&world] {
        world.trace("beats in time again");
        world.each_link([&](unsigned, unsigned, Link &link) {
            link.delay_max = world.good_link().delay_max;
        });
    });
}

void restart_host(World &world) {
    const unsigned id = world.any_node();
    world.crash(id);
    start_later(world, id, 1ms, 3s);
}

void restart_agent(World &world) {
    const unsigned id = world.any_node();
    world.kill(id);
    world.chance(0.5) ? start_later(world, id, 1ms, 300ms) : start_later(world, id, 1ms, 3s);
}

// In the middle of what it does to the filter: a view takes some six writes.
void agent_dies_in_a_write(World &world, unsigned id) {
    const auto writes = std::uniform_int_distribution<unsigned>(1, 12)(world.random());
    world.light_fuse(id, writes, world.chance(0.5) ? world.scaled_between(1ms, 300ms) : world.scaled_between(1ms, 3s));
}

// With another configuration, and later with the right one.
void misconfigure(World &world) {
    const unsigned id = world.any_node();
    world.trace("node " + std::to_string(id) + " gets another configuration");
    world.kill(id);
    world.node(id).file = 2;
    start_later(world, id, 1ms, 1s);
    world.later(world.scaled_between(1s, 6s), [&world, id] {
        world.kill(id);
        world.node(id).file = 1;
        world.start(id);
    });
}

// A new configuration on every disk, and the command to reload on most nodes, now or soon.
void change_configuration(World &world) {
    heartbeat::Digest file = world.chance(0.5) ? 3 : 1;
    if (world.options().fewer != 0 && world.chance(0.6)) file = 4;
    world.trace("configuration " + std::to_string(file) + " is to come");
    for (unsigned id = 1; id <= world.options().nodes; ++id) {
        world.node(id).file = file;
        if (!world.chance(0.95)) continue;
        world.later(world.scaled_between(0ms, 500ms), [&world, id, file] { world.reload(id, file); });
    }
}

void stop_and_start(World &world) {
    const unsigned id = world.any_node();
    if (!world.node(id).agent_up()) return;
    world.trace("node " + std::to_string(id) + " ordered to stop");
    world.node(id).wants_to_serve = false;
    world.order(id, heartbeat::event::Stop{});
    world.later(world.scaled_between(1ms, 3s), [&world, id] {
        world.trace("node " + std::to_string(id) + " ordered to start");
        world.node(id).wants_to_serve = true;
        world.order(id, heartbeat::event::Start{});
    });
}

void leave_and_return(World &world) {
    const unsigned id = world.any_node();
    world.trace("node " + std::to_string(id) + " ordered to leave");
    world.node(id).wants_to_serve = false;
    world.order(id, heartbeat::event::Leave{});
    world.later(world.scaled_between(500ms, 3s), [&world, id] {
        world.kill(id); // if it is still there
        world.node(id).wants_to_serve = true;
        world.start(id);
    });
}

void reweight(World &world) {
    const auto weight = std::uniform_int_distribution<unsigned>(0, 100)(world.random());
    world.order(world.any_node(),
                heartbeat::event::SetWeight{static_cast<std::uint8_t>(weight)});
}

void service_dies(World &world) {
    const unsigned id = world.any_node();
    world.order(id, heartbeat::event::SetHealthy{0});
    world.later(world.scaled_between(1ms, 3s), [&world, id] {
        world.order(id, heartbeat::event::SetHealthy{~heartbeat::RuleBits{0}});
    });
}

void all_stall(World &world) {
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        if (world.chance(0.5))
            world.stall(id, world.between(1us, 2 * world.options().dead_after));
}

// The leader dies with its newest view half told.
void ambush(World &world) {
    world.ambush([&world](unsigned leader) {
        world.trace("ambush");
        world.crash(leader);
        start_later(world, leader, 1ms, 3s);
    });
    const auto weight = std::uniform_int_distribution<unsigned>(1, 100)(world.random());
    world.order(world.any_node(),
                heartbeat::event::SetWeight{static_cast<std::uint8_t>(weight)});
}

void reboot(World &world, unsigned id) {
    world.crash(id);
    world.chance(0.7) ? start_later(world, id, 0ms, 5ms) : start_later(world, id, 1ms, 3s);
}

// Everything works again, for now.
void all_links_heal(World &world) {
    world.trace("all links heal");
    world.each_link([&](unsigned, unsigned, Link &link) { link = world.good_link(); });
}

// From some others, or from all, in both directions or in one.
void cut_off(World &world, unsigned id) {
    std::vector<bool> side(world.options().nodes + 1);
    const double share = world.chance(0.5) ? 1 : 0.5;
    for (unsigned other = 1; other <= world.options().nodes; ++other)
        side[other] = other != id && world.chance(share);
    partition(world, side, world.chance(0.3), world.scaled_between(50ms, 5s));
}

void pause(World &world, unsigned id) { world.pause(id, world.scaled_between(1ms, 2s)); }

void reboot_many(World &world, unsigned but) {
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        if (id != but && world.chance(0.7)) reboot(world, id);
}

// Just as something has changed at a node: it or another one, now or in a moment.
void strike(World &world, unsigned changed) {
    const unsigned id = world.chance(0.6) ? changed : world.any_node();
    const Duration dead_after = world.options().dead_after;
    const std::function<void()> kinds[] = {
        [&world, id] { reboot(world, id); },
        [&world, id] { reboot(world, id); },
        [&world, id] {
            world.kill(id);
            start_later(world, id, 0ms, 300ms);
        },
        [&world, id] { agent_dies_in_a_write(world, id); },
        [&world, id, dead_after] { world.stall(id, world.between(1us, dead_after * 5 / 4)); },
        [&world, id] { cut_off(world, id); },
        [&world, id] { cut_off(world, id); },
        [&world, id] { pause(world, id); },
        [&world, id] { reboot_many(world, id); },
        [&world] { all_links_heal(world); },
    };
    const auto last = std::size(kinds) - 1;
    const auto kind = kinds[std::uniform_int_distribution<std::size_t>(0, last)(world.random())];
    if (world.chance(0.4)) return kind();
    world.later(world.chance(0.6) ? world.scaled_between(0ms, 3ms) : world.scaled_between(0ms, 300ms), kind);
}

// One node remembers, frozen, cut off or deaf, while the others are rebooted, perhaps twice.
void long_memory(World &world) {
    const unsigned id = world.any_node();
    const Duration length = world.scaled_between(500ms, 4s);
    const auto how = world.random()() % 4;
    if (how == 0) world.stall(id, length);
    if (how == 1) world.pause(id, length);
    if (how == 2) damage_cable(world, id, Cable::deaf, length);
    if (how == 3) {
        std::vector<bool> side(world.options().nodes + 1);
        side[id] = true;
        partition(world, side, false, length);
    }
    for (int times = world.chance(0.5) ? 1 : 2; times > 0; --times)
        for (unsigned other = 1; other <= world.options().nodes; ++other)
            if (other != id)
                world.later(world.between(0ms, length * times / 2), [&world, other] {
                    world.crash(other);
                    start_later(world, other, 0ms, 300ms);
                });
}

void fault(World &world, bool hard) {
    const Duration dead_after = world.options().dead_after;
    auto any_cable = [&](Cable damage) {
        damage_cable(world, world.any_node(), damage, world.scaled_between(50ms, 5s));
    };
    auto any_stall = [&](Duration low, Duration high) {
        world.stall(world.any_node(), world.between(low, high));
    };
    if (world.options().planes > 1 && world.chance(0.4)) return plane_fault(world);
    const std::function<void()> kinds[] = {
        [&] { restart_host(world); },
        [&] { restart_host(world); },
        [&] { restart_agent(world); },
        [&] { agent_dies_in_a_write(world, world.any_node()); },
        [&] { any_stall(1us, dead_after / 2); },
        [&] { any_stall(dead_after / 5, 3 * dead_after); },
        [&] { any_stall(dead_after * 3 / 4, dead_after * 5 / 4); },
        [&] { all_stall(world); },
        [&] { random_partition(world, false); },
        [&] { random_partition(world, true); },
        [&] { one_link(world); },
        [&] { any_cable(Cable::pulled); },
        [&] { any_cable(Cable::deaf); },
        [&] { any_cable(Cable::mute); },
        [&] { bad_network(world); },
        [&] { late_network(world); },
        [&] { stop_and_start(world); },
        [&] { leave_and_return(world); },
        [&] { reweight(world); },
        [&] { service_dies(world); },
        [&] { ambush(world); },
        [&] { misconfigure(world); },
        [&] { change_configuration(world); },
        [&] { long_memory(world); },
        [&] { pause(world, world.any_node()); },
        [&] { reboot_many(world, 0); },
    };
    constexpr std::size_t kHard = 3; // the last ones
    const auto last = std::size(kinds) - 1 - (hard ? 0 : kHard);
    kinds[std::uniform_int_distribution<std::size_t>(0, last)(world.random())]();
}

} // namespace

void partition(World &world, const std::vector<bool> &side, bool one_way, Duration length) {
    world.trace(one_way ? "one-way partition" : "partition");
    auto crossing = [side, one_way](unsigned from, unsigned to) {
        return side[from] != side[to] && (!one_way || side[from]);
    };
    world.each_link([&](unsigned from, unsigned to, Link &link) {
        if (crossing(from, to)) link.up = false;
    });
    world.excuse(length + merge_time(world));
    world.later(length, [&world, crossing] {
        world.trace("partition over");
        world.each_link([&](unsigned from, unsigned to, Link &link) {
            if (crossing(from, to)) link.up = true;
        });
    });
}

void cut(World &world, unsigned from, unsigned to, Duration length) {
    const std::string name = "link " + std::to_string(from) + " to " + std::to_string(to);
    world.trace(name + " cut");
    const auto set = [&world, from, to](bool up) {
        for (unsigned plane = 0; plane < kPlanes; ++plane)
            world.link(from, to, plane).up = up;
    };
    set(false);
    world.excuse(length + merge_time(world));
    world.later(length, [&world, name, set] {
        world.trace(name + " whole");
        set(true);
    });
}

void damage_port(World &world, unsigned id, unsigned plane, Cable damage, bool works) {
    Port port = world.node(id).ports[plane];
    if (damage == Cable::pulled) port.carrier = works;
    if (damage != Cable::mute) port.hears = works;
    if (damage != Cable::deaf) port.speaks = works;
    world.change_port(id, plane, port);
}

// A node that is cut off on a living link, and has no witness, cannot know: with `serve` it goes on.
void damage_cable(World &world, unsigned id, Cable damage, Duration length) {
    static const char *const kNames[] = {"'s cable is pulled", " is deaf", " is mute"};
    const std::string name = "node " + std::to_string(id);
    world.trace(name + kNames[static_cast<int>(damage)]);
    auto set = [&world, id, damage](bool works) {
        for (unsigned plane = 0; plane < world.options().planes; ++plane)
            damage_port(world, id, plane, damage, works);
    };
    set(false);
    world.trouble(id, length + join_time(world));
    if (damage != Cable::pulled && !world.options().witness)
        world.excuse(length + merge_time(world));
    world.later(length, [&world, name, set] {
        world.trace(name + "'s cable is whole");
        set(true);
    });
}

namespace {

// Some of so many nodes, not all: at least one.
heartbeat::NodeBits draw_fewer(unsigned nodes, std::mt19937_64 &random) {
    const heartbeat::NodeBits all = static_cast<heartbeat::NodeBits>((std::uint64_t{1} << nodes) - 1);
    std::uniform_int_distribution<heartbeat::NodeBits> any(1, all - 1);
    return any(random);
}

} // namespace

Options draw_options(std::uint64_t seed, Duration interval, Duration dead_after) {
    std::mt19937_64 random(seed * 0x9e3779b97f4a7c15ull + 1);
    auto among = [&](unsigned low, unsigned high) {
        return std::uniform_int_distribution<unsigned>(low, high)(random);
    };
    Options options{.interval = interval, .dead_after = dead_after};
    const unsigned size = among(0, 99);
    options.nodes = size < 80 ? among(2, 6) : size < 95 ? among(7, 12) : among(16, 32);
    options.partition = among(0, 1) ? heartbeat::Partition::quorum : heartbeat::Partition::serve;
    options.witness = options.partition == heartbeat::Partition::serve && among(0, 1);
    options.marks = among(0, 3) > 0;
    if (among(0, 1)) options.fewer = draw_fewer(options.nodes, random);
    if (among(0, 9) == 0) options.founders = 0;
    options.planes = among(0, 3) == 0 ? 2 : 1;
    return options;
}

void draw_faults(World &world, Duration length, bool hard) {
    const bool together = world.chance(0.5);
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        world.after(world.scaled_between(0ms, together ? 20ms : 3s),
                    [&world, id] { world.start(id); });
    const double pace =
        std::uniform_real_distribution<double>(0.2, 3)(world.random()); // seconds between
    if (hard && world.chance(0.6)) { // at each of some thousand changes in a minute
        const double often = std::uniform_real_distribution<double>(-3, -1.2)(world.random());
        world.at_transitions(std::pow(10, often), [&world](unsigned id) { strike(world, id); });
    }
    Time when = world.scaled_between(0s, 4s);
    while (when < length) {
        world.at(when, [&world, hard] { fault(world, hard); });
        when += world.scaled_between(0s, Duration(static_cast<std::int64_t>(pace * 2e9)));
    }
}

void end_faults(World &world) {
    world.trace("faults end");
    world.end_faults();
    world.ambush(nullptr);
    world.each_link([&](unsigned, unsigned, Link &link) { link = world.good_link(); });
    for (unsigned id = 1; id <= world.options().nodes; ++id) {
        Node &node = world.node(id);
        if (!node.wants_to_serve) world.kill(id);
        world.wake(id);
        node.stalled_until = world.now();
        node.fuse = 0;
        for (unsigned plane = 0; plane < world.options().planes; ++plane)
            world.change_port(id, plane, {});
        node.wants_to_serve = true;
        node.file = 1;
        world.start(id);
        world.reload(id, 1);
        world.order(id, heartbeat::event::Start{});
        world.order(id, heartbeat::event::SetWeight{100});
        world.order(id, heartbeat::event::SetEligible{~heartbeat::RuleBits{0}});
        world.order(id, heartbeat::event::SetHealthy{~heartbeat::RuleBits{0}});
    }
}

} // namespace sim
