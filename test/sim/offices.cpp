// SPDX-License-Identifier: Apache-2.0
// Courses of events in which a node holds an office, a place or a number longer than it may.
#include "faults.hpp"
#include "scenarios.hpp"
#include "steps.hpp"

namespace sim {
namespace {

constexpr auto kQuorum = heartbeat::Partition::quorum;

void start_serving(World &world, unsigned id) {
    world.node(id).wants_to_serve = true;
    world.order(id, heartbeat::event::Start{});
}

void reboot(World &world, unsigned id) {
    world.crash(id);
    world.node(id).wants_to_serve = true;
    world.start(id);
}

bool leads(const World &world, unsigned id) { return role_of(world, id) == heartbeat::Role::leading; }

// And is followed by this one: its right to serve is about to run.
bool leads(const World &world, unsigned id, unsigned follower) {
    const Node &node = world.node(follower);
    const auto status = node.agent().status(node.local(world.now()));
    return leads(world, id) && status.role == heartbeat::Role::following && heartbeat::index(status.leader) == id;
}

// 34. Elected in term 2, a node is cut off before the first follower's beat reaches it. The others are
// rebooted, forget their terms, and serve in term 1. It comes back as their leader stalls.
void office_without_lease(World &world) {
    form(world, 1, 3);
    world.excuse(world.options().scaled(20s)); // of nodes outside, which no member may hear
    stop(world, 1);
    run_for(world, 1s, 1s);
    stop(world, 3);
    run_for(world, 1s, 1s);
    world.crash(2);
    start_serving(world, 1);
    run_until_so(world, [&] { return leads(world, 1); });
    for (unsigned other : {2u, 3u}) {
        world.crash(other);
        set_links(world, 1, other, false);
    }
    run_for(world, 3ms, 10ms);
    for (unsigned other : {2u, 3u})
        reboot(world, other);
    run_for(world, 2s, 3s);
    world.stall(2, world.options().scaled(350ms));
    for (unsigned other : {2u, 3u})
        set_links(world, 1, other, true);
    run_for(world, 1s, 1s);
    heal(world);
}

// 35. Both halves of a partition elect in the same term and issue views of the same number with different
// members' weights. As they meet again, the agent of the leader that has to give way dies: what is
// said of its view is no report of the other one.
void two_views_of_one_number(World &world) {
    form(world, 1, 5);
    reweight(world, 2, 10);
    run_for(world, 1s, 1s);
    world.crash(1);
    for (unsigned one : {2u, 3u})
        for (unsigned other : {4u, 5u})
            set_links(world, one, other, false);
    run_until_so(world, [&] { return leads(world, 2) && leads(world, 4); });
    reweight(world, 2, 100);
    reweight(world, 4, 90);
    run_for(world, 5ms, 30ms);
    for (unsigned one : {2u, 3u})
        for (unsigned other : {4u, 5u})
            set_links(world, one, other, true);
    const Time last = world.node(4).last_beat;
    run_until_so(world, [&] { return world.node(4).last_beat != last; });
    world.kill(4);
    run_for(world, 1s, 1s);
    heal(world);
}

// 36. An elected leader is cut off; its voters elect another one while the lease of a member that the first
// never heard still runs, and so that lease grows. What is left of the first one's own lease is not enough
// to give that member's buckets away.
void end_of_an_office(World &world) {
    form(world, 1, 5);
    world.excuse(world.options().scaled(20s));
    set_links(world, 2, 4, false);
    for (unsigned id : {2u, 3u, 5u})
        stop(world, id);
    run_for(world, 2s, 2s);
    world.crash(1);
    start_serving(world, 2);
    run_until_so(world, [&] { return leads(world, 2, 3) && leads(world, 2, 5); });
    run_for(world, 3ms, 5ms);
    for (unsigned voter : {3u, 5u})
        set_links(world, 2, voter, false);
    run_for(world, 1s, 1s);
    heal(world);
}

// 37. A leader without a bucket leaves, returns, and is elected again at once, by one that has no
// place: what it granted in its former office still holds.
void same_leader_again(World &world) {
    form(world, 1, 3);
    world.excuse(world.options().scaled(20s));
    stop(world, 3);
    reweight(world, 1, 0);
    run_for(world, 1s, 1s);
    set_links(world, 1, 2, false);
    set_links(world, 2, 3, false);
    stop(world, 1);
    run_for(world, 0ms, 50ms);
    reweight(world, 1, 100);
    start_serving(world, 1);
    run_for(world, 1s, 1s);
    heal(world);
}

// 38. A process that cannot go on with its predecessor's life says that it is over: the others take its
// buckets at once, not when they have missed it for long enough.
void successor_names_its_predecessor(World &world) {
    form(world, 1, 3);
    const unsigned id = leader_of(world) == 3 ? 2 : 3;
    world.kill(id);
    world.run_until(world.now() + world.options().lease() + world.options().scaled(1ms));
    world.start(id);
    run_for(world, 40ms, 50ms);
    if (!world.served().all()) throw Violation("P2: a life that is over is waited for");
    heal(world);
}

// 39. A virtual machine stands still with its clock, and wakes after the others have gone on without it: it may
// serve until the first beat that it hears, no longer.
void clock_stands_still(World &world) {
    form(world, 1, 3);
    for (int i = 0; i < 4; ++i) {
        world.pause(world.any_node(), world.scaled_between(500ms, 2500ms));
        run_for(world, 3s, 4s);
    }
    heal(world);
}

// 44. The same, while the only other one is rebooted and begins alone: the sleeper still believes in that one's former
// life, and must not take it for dead when it is silent.
void sleeper_and_reborn(World &world) {
    form(world, 1, 2);
    for (int i = 0; i < 4; ++i) {
        const unsigned sleeper = world.any_node();
        world.pause(sleeper, world.options().scaled(1500ms));
        world.crash(3 - sleeper);
        run_for(world, 0ms, 300ms);
        world.start(3 - sleeper);
        run_for(world, 3s, 4s);
    }
    heal(world);
}

// 45. A node leaves a moment after another one has started: that one has heard all others, and guards nothing
// that no node holds. A client of the node that left gets a reset at once.
void leaver_after_a_start(World &world) {
    form(world, 1, 2);
    world.start(3);
    run_for(world, 60ms, 300ms);
    world.node(2).wants_to_serve = false;
    world.order(2, heartbeat::event::Leave{});
    run_for(world, 100ms, 100ms);
    if (world.guarded_for_nothing().any()) throw Violation("P3: what nobody holds is guarded after a planned leave");
    heal(world);
}

// 55. The leader does not hear that the others are rebooted, then stands still with its clock while they begin without
// it. When it wakes, their leader dies, comes back, and hears the sleeper: what it gains there, its former follower still
// serves by a view of which the sleeper knows nothing.
void sleeper_among_the_reborn(World &world) {
    form(world, 3, 3); // of two leaders in one term the lower id would be followed
    for (unsigned id : {1u, 2u})
        world.start(id);
    run_for(world, 1s, 1s);
    world.excuse(world.options().scaled(600ms));
    const unsigned sleeper = 3, others[] = {1, 2};
    for (unsigned other : others) {
        set_links(world, sleeper, other, false);
        world.crash(other);
        world.start(other);
    }
    run_for(world, 250ms, 300ms);
    world.pause(sleeper, world.options().scaled(800ms));
    for (unsigned other : others)
        set_links(world, sleeper, other, true);
    run_for(world, 780ms, 800ms);
    const unsigned leader = role_of(world, others[0]) == heartbeat::Role::leading ? others[0] : others[1];
    world.crash(leader);
    world.start(leader);
    run_for(world, 1s, 1s);
    heal(world);
}

// 56. A node sleeps with its clock while the other one is rebooted, serves alone, and is told to stop just before the
// sleeper wakes: that one still takes it for its former life, and must not reset the connections that the later one holds.
void sleeper_and_stopped(World &world) {
    form(world, 1, 2);
    const unsigned sleeper = world.any_node(), other = 3 - sleeper;
    world.pause(sleeper, world.options().scaled(3s));
    world.crash(other);
    world.start(other);
    run_for(world, 2800ms, 3100ms);
    stop(world, other);
    run_for(world, 1s, 1s);
    heal(world);
}

// 57. The leader's virtual machine stands still with its clock for longer than dead_after; all others are rebooted or their
// agents are restarted meanwhile, so that none of them knows the leader's view. As it wakes, beats are lost, for a moment all.
void sleeper_among_losses(World &world) {
    const unsigned last = world.options().nodes;
    form(world, 1, last);
    run_for(world, 1s, 1s);
    const unsigned sleeper = leader_of(world);
    const Duration asleep = world.scaled_between(550ms, 2s);
    world.pause(sleeper, asleep);
    for (unsigned id = 1; id <= last; ++id) {
        if (id == sleeper) continue;
        const bool reboots = world.chance(0.6);
        world.later(world.between(0ms, asleep / 2), [&world, id, reboots] {
            reboots ? world.crash(id) : world.kill(id);
            world.later(world.scaled_between(0ms, 300ms), [&world, id] { world.start(id); });
        });
    }
    const auto lose = [&world](double share) {
        world.each_link([share](unsigned, unsigned, Link &link) { link.loss = share; });
    };
    const Duration awake = asleep + world.scaled_between(50ms, 150ms);
    world.later(awake, [lose] { lose(1); });
    world.later(awake + world.scaled_between(150ms, 200ms), [lose] { lose(0.3); });
    world.run_until(world.now() + asleep);
    run_for(world, 2s, 2s);
    heal(world);
}

// Beats of another installation with the same name and node ids, all of which it cannot read.
void hear_strangers(World &world, unsigned last) {
    for (unsigned id = 1; id <= world.options().nodes; ++id)
        for (unsigned claimed = 1; claimed <= last; ++claimed)
            world.order(id, heartbeat::event::Unreadable{heartbeat::NodeId{static_cast<std::uint8_t>(claimed)}});
    world.later(world.scaled_between(40ms, 50ms), [&world, last] { hear_strangers(world, last); });
}

// 40. Two installations with one name and different keys start at once, after a power cut: each hears its own
// nodes, so beats of the other installation change nothing.
void one_name_two_keys(World &world) {
    hear_strangers(world, 3);
    form(world, 1, 3);
    heal(world);
}

// 41. The same with a node that is down: a majority is enough.
void one_name_two_keys_quorum(World &world) {
    hear_strangers(world, 3);
    form(world, 1, 2);
    heal(world);
}

// 42. Agents are restarted one after another by a quick loop, as at an upgrade. Each is back within its lease, and
// no bucket is without an owner for a moment.
void rolling_restart(World &world) {
    const unsigned last = world.options().nodes;
    form(world, 1, last);
    run_for(world, 1s, 1s);
    const Duration pause = world.scaled_between(20ms, 400ms);
    world.allow_gaps({}, 0ms);
    for (unsigned i = 0; i < 4 * last; ++i) {
        const unsigned id = 1 + i % last;
        world.kill(id);
        run_for(world, 10ms, 200ms);
        world.start(id);
        world.run_until(world.now() + pause);
    }
    run_for(world, 1s, 1s);
    world.stop_watching_gaps();
    heal(world);
}

// 43. The same, but each comes too late to go on with its life, or its machine is rebooted: no other node loses its
// own.
void rolling_reboot(World &world) {
    const unsigned last = world.options().nodes;
    form(world, 1, last);
    run_for(world, 1s, 1s);
    const Duration pause = world.scaled_between(200ms, 400ms); // longer than a leader is missed
    const bool serve = world.options().partition == heartbeat::Partition::serve;
    for (unsigned i = 0; i < 3 * last; ++i) {
        const Lives lives(world);
        const unsigned id = 1 + i % last;
        const bool host = world.chance(0.5);
        host ? world.crash(id) : world.kill(id);
        run_for(world, host && serve ? 1ms : 400ms, 800ms); // a majority needs those that listen
        world.start(id);
        world.run_until(world.now() + pause);
        for (unsigned other = 1; other <= last; ++other)
            if (other != id) lives.check_same(other);
    }
    heal(world);
}

} // namespace

std::vector<Scenario> office_scenarios() {
    return {
        {"rolling_restart", {.nodes = 3}, rolling_restart},
        {"rolling_restart_of_five", {.nodes = 5}, rolling_restart},
        {"rolling_restart_of_two", {.nodes = 2}, rolling_restart},
        {"rolling_restart_quorum", {.nodes = 3, .partition = kQuorum}, rolling_restart},
        {"rolling_restart_of_five_quorum", {.nodes = 5, .partition = kQuorum}, rolling_restart},
        {"rolling_reboot", {.nodes = 3}, rolling_reboot},
        {"rolling_reboot_of_five", {.nodes = 5}, rolling_reboot},
        {"rolling_reboot_of_two", {.nodes = 2}, rolling_reboot},
        {"rolling_reboot_quorum", {.nodes = 5, .partition = kQuorum}, rolling_reboot},
        {"successor_names_its_predecessor", {.nodes = 3}, successor_names_its_predecessor},
        {"clock_stands_still", {.nodes = 3}, clock_stands_still},
        {"clock_stands_still_quorum", {.nodes = 3, .partition = kQuorum}, clock_stands_still},
        {"sleeper_and_reborn", {.nodes = 2}, sleeper_and_reborn},
        {"leaver_after_a_start", {.nodes = 3}, leaver_after_a_start},
        {"sleeper_among_the_reborn", {.nodes = 3}, sleeper_among_the_reborn},
        {"sleeper_among_losses", {.nodes = 3}, sleeper_among_losses},
        {"sleeper_among_losses_of_two", {.nodes = 2}, sleeper_among_losses},
        {"sleeper_and_stopped", {.nodes = 2}, sleeper_and_stopped},
        {"one_name_two_keys", {.nodes = 3}, one_name_two_keys},
        {"one_name_two_keys_quorum", {.nodes = 3, .partition = kQuorum}, one_name_two_keys_quorum},
        {"office_without_lease", {.nodes = 3, .partition = kQuorum}, office_without_lease},
        {"two_views_of_one_number", {.nodes = 5}, two_views_of_one_number},
        {"end_of_an_office", {.nodes = 5, .partition = kQuorum}, end_of_an_office},
        {"same_leader_again", {.nodes = 3, .partition = kQuorum}, same_leader_again},
    };
}

} // namespace sim
