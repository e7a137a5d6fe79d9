// SPDX-License-Identifier: Apache-2.0
//
// Courses in which the list of nodes changes by reload. Configurations 4 and 5 list some of the nodes, all others every node.
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

// From now on some links are cut for a while at each leader's view, or the leader dies, or most reboot.
void trouble_the_change(World &world) {
    const auto strike = [&world](unsigned leader) {
        const unsigned nodes = world.options().nodes;
        std::vector<bool> side(nodes + 1);
        for (unsigned id = 1; id <= nodes; ++id)
            side[id] = world.chance(0.5);
        const double what = std::uniform_real_distribution<double>(0, 1)(world.random());
        if (what < 0.5) return partition(world, side, world.chance(0.2), world.scaled_between(100ms, 4s));
        for (unsigned id = 1; id <= nodes; ++id) {
            if (what < 0.75 ? id != leader : !side[id]) continue;
            world.crash(id);
            world.later(world.scaled_between(10ms, 2s), [&world, id] { world.start(id); });
        }
    };
    world.ambush(strike);
    for (int times = 0; times < 3; ++times)
        world.later(world.scaled_between(0ms, 3s), [&world, strike] { strike(leader_of(world)); });
}

// 50. `quorum`: two nodes come, by a reload on all, while links and leaders fail.
void grows_in_trouble(World &world) {
    put_on_disk(world, 1, 3, 4);
    form(world, 1, 3);
    for (unsigned id : {4u, 5u})
        world.after(world.scaled_between(0ms, 2s), [&world, id] { world.start(id); });
    run_for(world, 0ms, 3s);
    reload_soon(world, 1, 3, 1);
    if (world.chance(0.9)) trouble_the_change(world);
    run_for(world, 5s, 8s);
    heal(world);
}

// What is on its way to a slow disk comes there, and from now on disks are quick.
void heal_disks(World &world) {
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        world.node(id).disk = {};
    run_for(world, 10s, 10s);
    heal(world);
}

// 51. `quorum`: a majority of the list is replaced in one step: nodes 1 to 3 by 1, 4 and 5. In the end nodes 2 and 3 are
// started by their former file, on their own: once they were a majority.
void majority_is_replaced(World &world) {
    put_on_disk(world, 1, 3, 4);
    put_on_disk(world, 4, 5, 5);
    form(world, 1, 3);
    for (unsigned id : {4u, 5u})
        world.start(id);
    run_for(world, 1s, 2s);
    for (unsigned id : {2u, 3u})
        if (world.chance(0.6)) world.node(id).disk = world.options().scaled(10s); // so it may not have kept the change in the end
    reload_soon(world, 1, 3, 5);
    const bool trouble = world.chance(0.5);
    if (trouble) trouble_the_change(world);
    for (int i = 0; i < 4000 && !trouble && world.node(1).agent().config() != 5; ++i)
        world.run_until(world.now() + 1ms);
    const bool leads = world.node(1).applied.number.leader == heartbeat::NodeId{1};
    if (!trouble && leads && world.node(1).agent().config() == 5 && world.node(1).kept.nodes != world.options().moved)
        throw Violation("a view names a list of which no majority was told");
    run_for(world, 4s, 8s);
    const bool changed = world.node(1).agent_up() && world.node(1).agent().config() == 5;
    const bool slow = world.node(2).disk + world.node(3).disk > 0ns; // the leader's, perhaps
    if (!trouble && !slow && (!changed || !world.accepting(world.node(1)).any()))
        throw Violation("P2: the list has not changed");
    std::vector<bool> side(6);
    side[2] = side[3] = true;
    partition(world, side, false, world.options().scaled(8s));
    for (unsigned id : {2u, 3u}) {
        world.crash(id);
        world.node(id).file = 4;
        world.start(id);
    }
    run_for(world, 5s, 8s);
    heal_disks(world);
}

// 55. `quorum`: the same, and the nodes that go are cut off from those that stay in the middle of it.
void cut_in_the_change(World &world) {
    put_on_disk(world, 1, 3, 4);
    put_on_disk(world, 4, 5, 5);
    form(world, 1, 3);
    for (unsigned id : {4u, 5u})
        world.start(id);
    run_for(world, 1s, 2s);
    for (unsigned id = 1; id <= 5; ++id)
        if (world.chance(0.3)) world.node(id).disk = world.options().scaled(2s);
    reload_soon(world, 1, 3, 5);
    run_for(world, 0ms, world.chance(0.5) ? 400ms : 2s);
    std::vector<bool> side(6);
    side[2] = side[3] = true;
    for (int times = 0; times < 3; ++times) {
        partition(world, side, false, world.scaled_between(1s, 3s));
        if (world.chance(0.3)) {
            const unsigned id = world.any_node();
            world.crash(id);
            world.later(world.scaled_between(10ms, 1s), [&world, id] { world.start(id); });
        }
        run_for(world, 1s, 4s);
        side[1] = world.chance(0.3);
    }
    heal_disks(world);
}

// 52. `quorum`: the new file is on the disks, and nodes are restarted instead of reloaded, just before a partition.
void restarted_by_the_new_file(World &world) {
    put_on_disk(world, 1, 3, 4);
    form(world, 1, 3);
    for (unsigned id : {4u, 5u})
        world.start(id);
    run_for(world, 1s, 2s);
    const unsigned restarted = std::uniform_int_distribution<unsigned>(1, 3)(world.random());
    for (unsigned id = 1; id <= restarted; ++id) {
        world.kill(id);
        world.node(id).file = 1;
        world.start(id);
        run_for(world, 0ms, 700ms);
    }
    std::vector<bool> side(6);
    for (unsigned id : {restarted, 4u, 5u})
        side[id] = true;
    partition(world, side, false, world.options().scaled(3s));
    run_for(world, 3s, 4s);
    heal(world);
}

// 53. `quorum`: a cluster that never was one begins with all of its nodes, and not before.
void first_start(World &world) {
    for (unsigned id : {1u, 2u})
        world.start(id);
    run_for(world, 2s, 3s);
    check_silent(world, 1, 2);
    if (world.chance(0.7)) {
        const unsigned id = world.any_node();
        world.at_transitions(0.2, [&world, id](unsigned) {
            if (!world.node(id).host_up || !world.node(id).agent_up()) return;
            world.crash(id);
            world.later(world.scaled_between(0ms, 1s), [&world, id] { world.start(id); });
        });
    }
    world.start(3);
    run_for(world, 2s, 3s);
    heal(world);
}

// 54. `quorum`: a node comes back with an empty disk, and first hears one that missed the change of the list.
void empty_disk(World &world) {
    put_on_disk(world, 1, 3, 4);
    put_on_disk(world, 4, 5, 5);
    form(world, 1, 3);
    for (unsigned id : {4u, 5u})
        world.start(id);
    run_for(world, 1s, 2s);
    reload_soon(world, 1, 3, 5);
    run_for(world, 100ms, 500ms);
    world.crash(3); // perhaps before it has kept the new list
    run_for(world, 1s, 2s);
    std::vector<bool> side(6);
    side[2] = side[3] = true;
    partition(world, side, false, world.options().scaled(8s));
    world.crash(2);
    world.node(2).kept = {};
    for (unsigned id : {2u, 3u}) {
        world.node(id).file = 4;
        world.start(id);
    }
    run_for(world, 4s, 6s);
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
    const Options changing{.nodes = 5, .partition = heartbeat::Partition::quorum, .fewer = kFirstThree,
                           .moved = 0b11001, .founders = kFirstThree};
    return {
        {"newcomers_before_the_reload", {.nodes = 5, .fewer = kFirstThree}, newcomers_before_the_reload},
        {"removed_nodes_stay_outside", {.nodes = 5, .fewer = kLastThree}, removed_nodes_stay_outside},
        {"removal_is_taken_back", {.nodes = 5, .fewer = kLastThree}, removal_is_taken_back},
        {"none_that_stays_is_there", {.nodes = 3, .fewer = kThird}, none_that_stays_is_there},
        {"restart_beside_a_removed_node", {.nodes = 2, .fewer = 0b10}, restart_beside_a_removed_node},
        {"majority_of_another_list", changing, majority_of_another_list},
        {"grows_in_trouble", changing, grows_in_trouble},
        {"majority_is_replaced", changing, majority_is_replaced},
        {"cut_in_the_change", changing, cut_in_the_change},
        {"restarted_by_the_new_file", changing, restarted_by_the_new_file},
        {"first_start", {.nodes = 3, .partition = heartbeat::Partition::quorum, .founders = 0}, first_start},
        {"empty_disk", changing, empty_disk},
    };
}

} // namespace sim
