// SPDX-License-Identifier: Apache-2.0
//
// What is allowed, after P2: a dead node's buckets, dead_after + 100 ms; those that a planned change
// moves, 20 ms; all others, nothing.
#include "exam.hpp"

#include "faults.hpp"

namespace sim {
namespace {

const Buckets kNone, kAll = ~Buckets{};

void settle(World &world, Duration within, const std::string &what) {
    world.run_until(world.now() + within);
    world.check_one_owner();
    if (world.settled()) return;
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        if (const Node &node = world.node(id); node.agent_up())
            world.trace("node " + std::to_string(id) + " says: " +
                        node.agent().status(node.local(world.now())).reason);
    throw Violation("P2: not settled after " + what + ", " +
                    std::to_string((~world.served()).count()) + " buckets unserved");
}

// Between changes, with lost leaders re-elected and every grace over.
void pause(World &world, const std::string &what) {
    settle(world, world.scaled_between(1500ms, 1800ms), what);
}

void planned(World &world, const Buckets &moving) {
    world.allow_gaps(moving, world.options().scaled(20ms));
}

void crash_and_return(World &world, unsigned id) {
    world.trace("exam: node " + std::to_string(id) + " crashes");
    const Duration allowed = world.options().dead_after + world.options().scaled(100ms);
    world.allow_gaps(world.accepting(world.node(id)), allowed);
    world.crash(id);
    pause(world, "a crash");
    planned(world, kAll);
    world.start(id);
    pause(world, "a return");
}

void stop_and_start(World &world, unsigned id) {
    world.trace("exam: node " + std::to_string(id) + " stops");
    planned(world, world.accepting(world.node(id)));
    world.node(id).wants_to_serve = false;
    world.order(id, heartbeat::event::Stop{});
    pause(world, "a stop");
    world.trace("exam: node " + std::to_string(id) + " starts");
    planned(world, kAll);
    world.node(id).wants_to_serve = true;
    world.order(id, heartbeat::event::Start{});
    pause(world, "a start");
}

void leave_and_return(World &world, unsigned id) {
    world.trace("exam: node " + std::to_string(id) + " leaves");
    planned(world, world.accepting(world.node(id)));
    world.order(id, heartbeat::event::Leave{});
    pause(world, "a farewell");
    planned(world, kAll);
    world.start(id);
    pause(world, "a join");
}

void change_weight(World &world, unsigned id) {
    world.trace("exam: node " + std::to_string(id) + " gets another weight");
    planned(world, kAll);
    world.order(id, heartbeat::event::SetWeight{50});
    pause(world, "a new weight");
    world.order(id, heartbeat::event::SetWeight{100});
    pause(world, "the old weight");
}

void service_dies(World &world, unsigned id) {
    world.trace("exam: node " + std::to_string(id) + "'s service dies");
    planned(world, world.accepting(world.node(id)));
    world.order(id, heartbeat::event::SetHealthy{0});
    pause(world, "a service's death");
    planned(world, kAll);
    world.order(id, heartbeat::event::SetHealthy{~heartbeat::RuleBits{0}});
    pause(world, "a service's return");
}

// Every node gets the command within a moment; then all change at once.
void change_configuration(World &world, unsigned) {
    std::vector<heartbeat::Digest> files{3, 1};
    if (world.options().fewer != 0) files.insert(files.begin(), 4);
    for (const heartbeat::Digest file : files) {
        world.trace("exam: configuration " + std::to_string(file));
        planned(world, kAll);
        for (unsigned id = 1; id <= world.options().nodes; ++id)
            world.after(world.scaled_between(0ms, 100ms),
                        [&world, id, file] { world.reload(id, file); });
        pause(world, "a reload");
        for (unsigned id = 1; id <= world.options().nodes; ++id)
            if (world.node(id).agent_up() && world.listed(id) && world.node(id).agent().config() != file)
                throw Violation("node " + std::to_string(id) + " keeps the former configuration");
    }
}

// Early enough within its lease to be heard before it ends: no bucket is without an owner for a moment.
void restart_agent(World &world, unsigned id) {
    world.trace("exam: node " + std::to_string(id) + "'s agent is restarted");
    world.allow_gaps(kNone, 0ms);
    world.kill(id);
    world.run_until(world.now() + world.scaled_between(1ms, 150ms));
    world.start(id);
    pause(world, "an agent's restart");
}

// Two planes. The clients' one carries the beats, too: nothing changes.
void lose_own_network(World &world, unsigned) {
    world.trace("exam: the heartbeat network is lost");
    world.allow_gaps(kNone, 0ms);
    const auto set = [&world](bool up) {
        world.each_link(kOwnPlane, [up](unsigned, unsigned, Link &link) { link.up = up; });
    };
    set(false);
    pause(world, "a heartbeat network's loss");
    set(true);
    pause(world, "a heartbeat network's return");
}

void lose_clients_link(World &world, unsigned id) {
    world.trace("exam: node " + std::to_string(id) + " loses the clients' link");
    world.trouble(id, world.options().scaled(20s));
    world.allow_gaps(world.accepting(world.node(id)), world.options().scaled(50ms)); // of them to hear of it
    damage_port(world, id, kClientsPlane, Cable::pulled, false);
    pause(world, "a clients' link's loss");
    planned(world, kAll);
    damage_port(world, id, kClientsPlane, Cable::pulled, true);
    pause(world, "a clients' link's return");
}

// The others' word that they have heard it within dead_after counts for dead_after, and half as long it waits. Copies of young
// beats, sent there by an attacker, hide a dead path.
void lose_clients_path(World &world, unsigned id) {
    if (world.options().nodes < 3 || world.options().replays) return; // two cannot tell which of them it is
    world.trace("exam: node " + std::to_string(id) + "'s path to clients is dead");
    const Cable damage = world.chance(0.5) ? Cable::deaf : Cable::mute;
    world.trouble(id, world.options().scaled(20s));
    world.allow_gaps(world.accepting(world.node(id)), 5 * world.options().dead_after / 2 + world.options().scaled(150ms));
    damage_port(world, id, kClientsPlane, damage, false);
    pause(world, "a path's death");
    planned(world, kAll);
    damage_port(world, id, kClientsPlane, damage, true);
    pause(world, "a path's return");
}

} // namespace

void examine(World &world) {
    settle(world, 6 * world.options().dead_after, "the faults");
    using Change = void (*)(World &, unsigned);
    std::vector<Change> changes{stop_and_start, change_weight, service_dies,
                                restart_agent, change_configuration};
    unsigned up = 0; // the faults may have left a node dead
    for (unsigned id = 1; id <= world.options().nodes; ++id) up += world.node(id).agent_up();
    const bool majority_left = 2 * (up - 1) > world.options().nodes;
    if (world.options().partition == heartbeat::Partition::serve || majority_left)
        changes.insert(changes.end(), {crash_and_return, leave_and_return});
    if (world.options().planes > 1) changes.insert(changes.end(), {lose_own_network, lose_clients_link, lose_clients_path});
    for (int i = 0; i < 3; ++i)
        changes[world.random()() % changes.size()](world, world.any_node());
    world.stop_watching_gaps();
}

} // namespace sim
