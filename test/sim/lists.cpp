// SPDX-License-Identifier: Apache-2.0
//
// Courses in which the list of nodes changes by reload. Configuration 4 lists some of the nodes, all others every node.
#include "scenarios.hpp"

#include "faults.hpp"
#include "steps.hpp"

namespace sim {
namespace {

void put_on_disk(World &world, unsigned first, unsigned last, heartbeat::Digest file) {
    for (unsigned id = first; id <= last; ++id)
        world.node(id).file = file;
}

void reload_soon(World &world, unsigned first, unsigned last, heartbeat::Digest file) {
    for (unsigned id = first; id <= last; ++id)
        world.after(world.scaled_between(0ms, 100ms), [&world, id, file] { world.reload(id, file); });
}

void check_silent(const World &world, unsigned first, unsigned last) {
    for (unsigned id = first; id <= last; ++id)
        if (world.accepting(world.node(id)).any())
            throw Violation("P1: node " + std::to_string(id) + " serves, and the others do not list it");
}

// 44. Two nodes that the others do not list yet hear them and each other: they wait. By the reload all are one cluster.
void newcomers_before_the_reload(World &world) {
    put_on_disk(world, 1, 3, 4);
    form(world, 1, 3);
    for (unsigned id : {4u, 5u})
        world.after(world.scaled_between(0ms, 2s), [&world, id] { world.start(id); });
    for (int i = 0; i < 40; ++i) {
        run_for(world, 100ms, 100ms);
        check_silent(world, 4, 5);
    }
    const Lives lives(world);
    reload_soon(world, 1, 3, 1);
    run_for(world, 2s, 3s);
    if (!world.settled()) throw Violation("P2: the new nodes do not serve after the reload");
    for (unsigned id : {1u, 2u, 3u})
        lives.check_same(id);
    heal(world);
}

// 45. Two nodes are removed, the leader perhaps, and the leader dies at the worst moment. A removed one that is started
// by its former file stays outside.
void removed_nodes_stay_outside(World &world) {
    form(world, 1, 5);
    if (world.chance(0.5)) world.ambush([&world](unsigned leader) {
        world.crash(leader);
        world.after(world.scaled_between(500ms, 1s), [&world, leader] { world.start(leader); });
    });
    reload_soon(world, 1, 5, 4);
    run_for(world, 4s, 5s);
    reload_soon(world, 1, 5, 4); // again, without waiting for a node that has died
    run_for(world, 2s, 3s);
    check_silent(world, 1, 2);
    if (!world.settled()) throw Violation("P2: the nodes that stay do not serve after the reload");
    for (unsigned id : {1u, 2u}) {
        world.kill(id);
        world.node(id).file = 1;
        world.start(id);
    }
    for (int i = 0; i < 30; ++i) {
        run_for(world, 100ms, 100ms);
        check_silent(world, 1, 2);
    }
    heal(world);
}

// 46. A change that one node does not get harms nothing, and is taken back.
void removal_is_taken_back(World &world) {
    form(world, 1, 5);
    const Lives lives(world);
    reload_soon(world, 1, 4, 4);
    run_for(world, 2s, 3s);
    if (!world.settled() || !world.accepting(world.node(1)).any())
        throw Violation("P2: a change for which one node is missing has begun");
    reload_soon(world, 1, 4, 1);
    run_for(world, 1s, 2s);
    for (unsigned id = 1; id <= 5; ++id)
        lives.check_same(id);
    heal(world);
}

// 47. The only node that is to stay is dead: the others serve until it is back.
void none_that_stays_is_there(World &world) {
    form(world, 1, 2);
    reload_soon(world, 1, 2, 4);
    run_for(world, 2s, 3s);
    if (!(world.accepting(world.node(1)) | world.accepting(world.node(2))).all())
        throw Violation("P2: all members leave, and none is there to stay");
    world.node(3).file = 1;
    world.start(3);
    run_for(world, 1s, 2s);
    world.reload(3, 4);
    run_for(world, 1s, 2s);
    if (!world.accepting(world.node(3)).all()) throw Violation("P2: the node that stays does not serve");
    heal(world);
}

// 48. `quorum`: by the list of two nodes that were started too early they are a majority with a node of a smaller list,
// whose other two are a majority of that.
void majority_of_another_list(World &world) {
    put_on_disk(world, 1, 3, 4);
    form(world, 1, 3);
    for (unsigned id : {4u, 5u})
        world.start(id);
    run_for(world, 1s, 2s);
    for (int times = 0; times < 3; ++times) {
        const unsigned with_them = std::uniform_int_distribution<unsigned>(1, 3)(world.random());
        std::vector<bool> side(6);
        side[with_them] = side[4] = side[5] = true;
        partition(world, side, false, world.options().scaled(2s));
        run_for(world, 3s, 4s);
        check_silent(world, 4, 5);
    }
    heal(world);
}

// 49. A removed node still has connections, and says nothing for a moment in which the agent of the only listed one is
// restarted: that one resets none of them.
void restart_beside_a_removed_node(World &world) {
    form(world, 1, 2);
    run_for(world, 2s, 3s); // connections
    reload_soon(world, 1, 2, 4);
    run_for(world, 1s, 1s);
    for (int times = 0; times < 5; ++times) {
        world.stall(1, world.scaled_between(150ms, 250ms));
        world.kill(2);
        run_for(world, 5ms, 50ms);
        world.start(2);
        run_for(world, 800ms, 1s);
    }
    heal(world);
}

} // namespace

std::vector<Scenario> list_scenarios() {
    constexpr heartbeat::NodeBits kFirstThree = 0b00111, kLastThree = 0b11100, kThird = 0b100;
    return {
        {"newcomers_before_the_reload", {.nodes = 5, .fewer = kFirstThree}, newcomers_before_the_reload},
        {"removed_nodes_stay_outside", {.nodes = 5, .fewer = kLastThree}, removed_nodes_stay_outside},
        {"removal_is_taken_back", {.nodes = 5, .fewer = kLastThree}, removal_is_taken_back},
        {"none_that_stays_is_there", {.nodes = 3, .fewer = kThird}, none_that_stays_is_there},
        {"restart_beside_a_removed_node", {.nodes = 2, .fewer = 0b10}, restart_beside_a_removed_node},
        {"majority_of_another_list", {.nodes = 5, .partition = heartbeat::Partition::quorum, .fewer = kFirstThree},
         majority_of_another_list},
    };
}

} // namespace sim
