// SPDX-License-Identifier: Apache-2.0
// Two planes: the clients' network, and one for beats alone. What an agent makes of its interfaces is its own code
// (agent::Reach); what is here tells it of them, and damages one plane while the other one works.
#include "faults.hpp"
#include "scenarios.hpp"
#include "steps.hpp"

#include <algorithm>

namespace sim {

// As the kernel's messages do.
void World::change_port(unsigned id, unsigned plane, const Port &port) {
    nodes_[id].ports[plane] = port;
    if (options_.planes == 1) return;
    check_gaps();
    after(scaled_between(0ms, 10ms), [this, id] { turn(nodes_[id]); });
}

// As Upkeep::look_at_reach and Execution::set_able do.
void World::look_at_reach(Node &node) {
    if (!node.agent_up() || !node.process->reach) return;
    const auto process = node.process; // kept, for it may be killed in there
    const Time local = node.local(now_);
    const bool mute = !node.ports[kClientsPlane].there && !node.ports[kOwnPlane].there, was_able = node.able();
    process->reach->look(local, {.linked = node.on(kClientsPlane), .mute = mute}, process->node->hearing());
    if (node.able() == was_able) return;
    trace("node " + std::to_string(heartbeat::index(node.id)) + (was_able ? " is not reached" : " is reached"));
    const bool serves = node.able() && node.wants_to_serve;
    process->node->step(local, serves ? heartbeat::Event(heartbeat::event::Start{}) : heartbeat::event::Stop{});
}

// Nodes that hear each other on neither plane are parted, by whatever faults.
void World::excuse_the_parted() {
    for (unsigned one = 1; one <= options_.nodes; ++one)
        for (unsigned other = one + 1; other <= options_.nodes; ++other)
            if (!whole_[one][other] || !whole_[other][one]) return excuse(options_.dead_after + options_.interval);
}

// Without the clients' interface an agent leaves, and has to be started again. Beats find another one when it is back.
void remove_port(World &world, unsigned id, unsigned plane, Duration length) {
    const std::string name = "node " + std::to_string(id) + "'s interface " + std::to_string(plane);
    world.trace(name + " is removed");
    const bool clients = plane == kClientsPlane;
    world.change_port(id, plane, {.there = false});
    if (clients) {
        world.trouble(id, length + 6 * world.options().dead_after);
        world.order(id, heartbeat::event::Leave{});
    }
    world.later(length, [&world, id, plane, clients, name] {
        world.trace(name + " is there again");
        world.change_port(id, plane, {});
        if (!clients) return;
        world.kill(id); // if it is still there
        world.start(id);
    });
}

namespace {

void set_plane(World &world, unsigned plane, bool up) {
    world.each_link(plane, [up](unsigned, unsigned, Link &link) { link.up = up; });
}

void lose_plane(World &world, unsigned plane, Duration length) {
    world.trace("plane " + std::to_string(plane) + " is lost");
    set_plane(world, plane, false);
    world.later(length, [&world, plane] {
        world.trace("plane " + std::to_string(plane) + " is back");
        set_plane(world, plane, true);
    });
}

void lose_a_link(World &world, unsigned plane, Duration length) {
    const unsigned from = world.any_node(), to = world.any_node();
    world.trace("link " + std::to_string(from) + " to " + std::to_string(to) + " of plane " + std::to_string(plane) + " is lost");
    world.link(from, to, plane).up = false;
    world.later(length, [&world, from, to, plane] { world.link(from, to, plane).up = true; });
}

void lose_beats(World &world, unsigned plane, Duration length) {
    const double share = std::uniform_real_distribution<double>(0.05, 0.5)(world.random());
    world.trace("loss on plane " + std::to_string(plane));
    world.each_link(plane, [share](unsigned, unsigned, Link &link) { link.loss = share; });
    world.later(length, [&world, plane] {
        world.each_link(plane, [](unsigned, unsigned, Link &link) { link.loss = 0; });
    });
}

void damage_a_port(World &world, unsigned plane, Duration length) {
    const unsigned id = world.any_node();
    const auto damage = static_cast<Cable>(world.random()() % 3);
    world.trace("node " + std::to_string(id) + "'s interface " + std::to_string(plane) + " is damaged");
    if (plane == kClientsPlane) world.trouble(id, length + 6 * world.options().dead_after);
    damage_port(world, id, plane, damage, false);
    world.later(length, [&world, id, plane, damage] { damage_port(world, id, plane, damage, true); });
}

} // namespace

void plane_fault(World &world) {
    const unsigned plane = world.chance(0.5) ? kClientsPlane : kOwnPlane;
    const Duration length = world.scaled_between(50ms, 5s);
    switch (world.random()() % 6) {
    case 0: return lose_plane(world, plane, length);
    case 1: return lose_a_link(world, plane, length);
    case 2: return lose_beats(world, plane, length);
    case 3: return remove_port(world, world.any_node(), plane, length);
    default: return damage_a_port(world, plane, length);
    }
}

namespace {

constexpr auto kQuorum = heartbeat::Partition::quorum;

// Of the others, which have to serve all that clients ask for.
void check_outside(World &world, unsigned id, const Lives &lives) {
    if (world.accepting(world.node(id)).any()) throw Violation("P2: a node that clients do not reach serves on");
    if (!world.served().all()) throw Violation("P2: clients reach no owner, though others could serve");
    for (unsigned other = 1; other <= world.options().nodes; ++other)
        if (other != id) lives.check_same(other);
}

void check_unchanged(World &world, const Lives &lives) {
    if (!world.served().all()) throw Violation("P2: buckets are without an owner for a plane that was not needed");
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        lives.check_same(id);
}

// 61. The clients' link is lost while the heartbeat network lives, and the node is heard by all.
void clients_link_lost(World &world) {
    form(world, 1, 3);
    const unsigned id = world.any_node();
    const Lives lives(world);
    world.trouble(id, world.options().scaled(20s));
    damage_port(world, id, kClientsPlane, Cable::pulled, false);
    run_for(world, 60ms, 500ms);
    check_outside(world, id, lives);
    damage_port(world, id, kClientsPlane, Cable::pulled, true);
    run_for(world, 1s, 2s);
    heal(world);
}

// 62. The same, while the link is up and nothing comes through: the others' word tells.
void clients_path_dead(World &world) {
    form(world, 1, 3);
    const unsigned id = world.any_node();
    const Lives lives(world);
    world.trouble(id, world.options().scaled(20s));
    const Cable damage = world.chance(0.5) ? Cable::deaf : Cable::mute;
    damage_port(world, id, kClientsPlane, damage, false);
    run_for(world, 1450ms, 2s);
    check_outside(world, id, lives);
    damage_port(world, id, kClientsPlane, damage, true);
    run_for(world, 1s, 2s);
    heal(world);
}

// 63. No node hears another on the clients' network any more: each would go, so none does, nor when they do again.
void clients_network_keeps_nodes_apart(World &world) {
    form(world, 1, 3);
    const Lives lives(world);
    set_plane(world, kClientsPlane, false);
    run_for(world, 2s, 3s);
    check_unchanged(world, lives);
    set_plane(world, kClientsPlane, true);
    run_for(world, 1s, 2s);
    check_unchanged(world, lives);
    heal(world);
}

// 64. The heartbeat network is lost, and returns: nothing changes, not for a moment.
void heartbeat_network_lost(World &world) {
    form(world, 1, 3);
    run_for(world, 1s, 1s);
    const Lives lives(world);
    world.allow_gaps({}, 0ms);
    set_plane(world, kOwnPlane, false);
    run_for(world, 2s, 3s);
    set_plane(world, kOwnPlane, true);
    run_for(world, 1s, 2s);
    check_unchanged(world, lives);
    world.stop_watching_gaps();
    heal(world);
}

// 65. It is lost, and then the clients' one: what follows is a partition as with one network. Either returns first.
void both_networks_lost_in_turn(World &world) {
    form(world, 1, 3);
    set_plane(world, kOwnPlane, false);
    run_for(world, 500ms, 2s);
    set_plane(world, kClientsPlane, false);
    run_for(world, 300ms, 3s);
    set_plane(world, world.chance(0.5) ? kOwnPlane : kClientsPlane, true);
    run_for(world, 2s, 3s);
    heal(world);
}

// 66. One node hears another on one plane only, the third hears all: nothing changes.
void heard_on_one_plane(World &world) {
    form(world, 1, 3);
    const unsigned from = world.any_node(), to = from % 3 + 1;
    const Lives lives(world);
    world.link(from, to, world.chance(0.5) ? kOwnPlane : kClientsPlane).up = false;
    run_for(world, 2s, 3s);
    check_unchanged(world, lives);
    heal(world);
}

// 67. The interface in the heartbeat network is removed and made anew, which changes nothing; then the clients' one,
// whose agent leaves and is started again.
void interface_made_anew(World &world) {
    form(world, 1, 3);
    const unsigned id = world.any_node();
    const Lives lives(world);
    remove_port(world, id, kOwnPlane, world.options().scaled(2s));
    run_for(world, 3s, 4s);
    check_unchanged(world, lives);
    remove_port(world, id, kClientsPlane, world.options().scaled(2s));
    run_for(world, 500ms, 1900ms);
    check_outside(world, id, lives);
    run_for(world, 2s, 3s);
    heal(world);
}

} // namespace

std::vector<Scenario> plane_scenarios() {
    const Options serve{.nodes = 3, .planes = 2}, quorum{.nodes = 3, .partition = kQuorum, .planes = 2};
    return {
        {"clients_link_lost", serve, clients_link_lost},
        {"clients_link_lost_quorum", quorum, clients_link_lost},
        {"clients_path_dead", serve, clients_path_dead},
        {"clients_path_dead_quorum", quorum, clients_path_dead},
        {"clients_network_keeps_nodes_apart", serve, clients_network_keeps_nodes_apart},
        {"heartbeat_network_lost", serve, heartbeat_network_lost},
        {"heartbeat_network_lost_quorum", quorum, heartbeat_network_lost},
        {"both_networks_lost_in_turn", serve, both_networks_lost_in_turn},
        {"both_networks_lost_in_turn_quorum", quorum, both_networks_lost_in_turn},
        {"heard_on_one_plane", serve, heard_on_one_plane},
        {"interface_made_anew", serve, interface_made_anew},
        {"interface_made_anew_quorum", quorum, interface_made_anew},
    };
}

} // namespace sim
