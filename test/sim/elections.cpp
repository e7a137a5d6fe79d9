// SPDX-License-Identifier: Apache-2.0
// Courses of events in which the wrong node leads, or none.
#include "faults.hpp"
#include "scenarios.hpp"
#include "steps.hpp"

namespace sim {
namespace {

constexpr auto kQuorum = heartbeat::Partition::quorum;

void wake(World &world, unsigned id) {
    world.node(id).stalled_until = world.now();
    world.order(id, heartbeat::event::Start{});
}

// 2 leads and 3 follows, and 1 is heard by 3 alone. 2 stalls until 3 votes for 1. From then on 3
// does not hear 1.
void vote_and_part(World &world) {
    form(world, 2, 3);
    cut_both(world, 1, 2);
    world.start(1);
    run_for(world, 900ms, 1000ms);
    world.stall(2, world.options().scaled(350ms));
    run_until_so(world,
                 [&] { return world.node(3).saved->vote.candidate == heartbeat::NodeId{1}; });
    world.trace("voted");
    world.link(1, 3).up = false;
    wake(world, 2);
}

// 18. A voter goes back to the leader that it had given up. The elected one removes that leader,
// whom it never heard, and the voter comes to it while that leader's lease runs.
void voter_goes_back(World &world) {
    vote_and_part(world);
    run_for(world, 600ms, 700ms);
    world.stall(2, world.options().scaled(2s));
    world.link(1, 3).up = true;
    run_for(world, 1s, 2s);
    heal(world);
}

// 19. The same, while the elected node hears no other at all.
void voter_goes_back_unheard(World &world) {
    vote_and_part(world);
    run_for(world, 5ms, 5ms);
    world.link(3, 1).up = false;
    run_for(world, 600ms, 1700ms);
    world.stall(2, world.options().scaled(2s));
    set_links(world, 1, 3, true);
    run_for(world, 1s, 2s);
    heal(world);
}

// 20. The same, but the voter is a new process when it comes.
void forgetful_voter(World &world) {
    vote_and_part(world);
    run_for(world, 5ms, 5ms);
    world.link(3, 1).up = false;
    run_for(world, 600ms, 1700ms);
    world.crash(3);
    set_links(world, 2, 3, false);
    set_links(world, 1, 3, true);
    world.start(3);
    run_for(world, 1s, 2s);
    heal(world);
}

// 21. A voter outside the view follows the elected one, and goes back to the former leader.
void voter_to_and_fro(World &world) {
    form(world, 2, 3);
    stop(world, 3);
    cut_both(world, 1, 2);
    world.start(1);
    run_for(world, 900ms, 1000ms);
    world.stall(2, world.options().scaled(500ms));
    const Time stalled = world.now();
    run_until_so(world, [&] { return role_of(world, 1) == heartbeat::Role::leading; });
    run_for(world, 5ms, 60ms);
    world.link(1, 3).up = false;
    world.run_until(stalled + world.scaled_between(300ms, 370ms));
    world.link(3, 1).up = false;
    wake(world, 2);
    run_for(world, 600ms, 700ms);
    heal(world);
}

void check_survivors(const Lives &lives, unsigned last, unsigned dead) {
    for (unsigned id = 1; id <= last; ++id)
        if (id != dead) lives.check_same(id);
}

// 22. A node starts just when the leader dies: it listens, and the others do not wait for that.
void joiner_at_leaders_death(World &world) {
    form(world, 1, 4);
    const unsigned leader = leader_of(world);
    const Lives lives(world);
    world.crash(leader);
    run_for(world, 0ms, 140ms);
    world.start(5);
    run_for(world, 600ms, 620ms);
    if (world.served().none()) throw Violation("P2: nobody serves anything");
    check_survivors(lives, 4, leader);
    heal(world);
}

// 23. The same with one that never gets further.
void crash_loop_at_leaders_death(World &world) {
    form(world, 1, 4);
    const unsigned leader = leader_of(world);
    for (int i = 0; i < 10; ++i)
        world.after(world.options().scaled(i * 280ms), [&world] {
            world.crash(5);
            world.start(5);
        });
    run_for(world, 600ms, 900ms);
    const Lives lives(world);
    world.crash(leader);
    run_for(world, 2s, 2s);
    check_survivors(lives, 4, leader);
    heal(world);
}

// 24. The same with one whose beats cannot be read.
void stranger_at_leaders_death(World &world) {
    form(world, 1, 3);
    world.set_key(4, 2);
    world.start(4);
    run_for(world, 600ms, 900ms);
    const unsigned leader = leader_of(world);
    const Lives lives(world);
    world.crash(leader);
    run_for(world, 700ms, 800ms);
    check_survivors(lives, 3, leader);
    world.kill(4);
    world.set_key(4, 1);
    heal(world);
}

// 25. The lowest id is heard by one voter alone, and can never be elected; the others are a
// majority.
void friend_of_the_unelectable(World &world) {
    form(world, 3, 5);
    world.start(1);
    world.start(2);
    run_for(world, 1s, 1s);
    const unsigned leader = leader_of(world);
    for (unsigned other = 3; other <= 5; ++other)
        set_links(world, 1, other, false);
    run_for(world, 2s, 2s);
    world.crash(leader);
    run_for(world, 3s, 3s);
    if (!world.served().all())
        throw Violation("P2: nobody serves, though a majority hears each other");
    heal(world);
}

// 26. Two mute nodes can be heard again just when the one that serves stalls, or its process dies:
// its lease runs on.
void mutes_return(World &world) {
    form(world, 1, 3);
    const Duration muted = world.options().scaled(3s);
    for (unsigned id : {1u, 2u})
        damage_cable(world, id, Cable::mute, muted);
    world.run_until(world.now() + muted - world.scaled_between(0ms, 200ms));
    if (world.chance(0.5))
        world.stall(3, world.scaled_between(300ms, 380ms));
    else
        world.kill(3);
    run_for(world, 1s, 1s);
    heal(world);
}

// 27. Only the former leader itself can tell the next one that it led just now.
void word_of_the_former_leader(World &world) {
    form(world, 2, 3);
    set_links(world, 1, 2, false);
    set_links(world, 1, 3, false);
    world.excuse(world.options().scaled(20s)); // of nodes outside, which the leader does not hear
    world.start(1);
    run_for(world, 1s, 1100ms);
    stop(world, 2);
    set_links(world, 1, 2, true);
    run_for(world, 1s, 1s);
    heal(world);
}

// 28. A process dies in the middle of a hand-over; its successor does not serve what was not let
// go.
void dies_in_a_hand_over(World &world) {
    form(world, 1, 3);
    for (int i = 0; i < 10; ++i) {
        const unsigned id = world.any_node();
        reweight(world, 1 + id % 3, i % 2 ? 100 : 10);
        for (int k = 0; k < 400 && world.node(id).saved->installed; ++k)
            world.run_until(world.now() + 50us);
        world.kill(id);
        world.start(id);
        run_for(world, 700ms, 800ms);
    }
    heal(world);
}

// 29. An agent goes on with its predecessor's life, follows the leader for a moment, is fenced, and
// is elected by one that knows of no view: the leader, which was only away, may still serve.
void successor_is_elected(World &world) {
    form(world, 2, 3);
    world.start(1);
    run_for(world, 1s, 1100ms);
    world.crash(3);
    run_for(world, 700ms, 800ms);
    world.start(3);
    run_for(world, 100ms, 200ms);
    world.kill(1);
    run_for(world, 1ms, 50ms);
    world.start(1);
    run_for(world, 0ms, 50ms);
    world.stall(2, world.options().scaled(500ms));
    run_for(world, 1s, 1s);
    heal(world);
}

// 30. Beats that an attacker recorded while two nodes did not hear each other are replayed to each
// of them when they do not hear each other again; so none would answer to what the other is now.
void old_beats_in_a_partition(World &world) {
    for (int i = 0; i < 4; ++i) {
        for (unsigned id : {1u, 2u}) {
            world.crash(id);
            world.start(id);
        }
        run_for(world, 1s, 2s);
        cut_both(world, 1, 2);
        run_for(world, 2s, 3s);
        heal(world);
    }
}

// 31. Old beats of one that has left do not keep the last one from serving alone.
void old_beats_of_one_that_left(World &world) {
    form(world, 1, 2);
    for (unsigned id : {1u, 2u}) {
        run_for(world, 1s, 2s);
        world.crash(id);
        world.start(id);
    }
    run_for(world, 2s, 3s);
    const Lives lives(world);
    world.order(1, heartbeat::event::Leave{});
    run_for(world, 3s, 4s);
    lives.check_same(2);
    if (!world.accepting(world.node(2)).all())
        throw Violation("P2: the last node does not serve it all");
    heal(world);
}

// 32. Nor do their own old beats keep nodes outside.
void own_old_beats(World &world) {
    form(world, 1, 2);
    for (int i = 0; i < 5; ++i) {
        run_for(world, 1s, 2s);
        for (unsigned id : {1u, 2u})
            world.crash(id);
        form(world, 1, 2);
    }
    heal(world);
}

// 33. Nor are they taken for others that serve and do not hear a leader's new life.
void leader_stops_among_old_beats(World &world) {
    form(world, 1, 2);
    for (int i = 0; i < 10; ++i) {
        const unsigned leader = leader_of(world);
        const Lives lives(world);
        stop(world, leader);
        run_for(world, 1s, 1500ms);
        lives.check_same(3 - leader);
        world.node(leader).wants_to_serve = true;
        world.order(leader, heartbeat::event::Start{});
        run_for(world, 1s, 1500ms);
    }
    heal(world);
}

// 34. Nor do old beats of lives that the last one has never heard of hold up its election.
void old_lives_at_leaders_death(World &world) {
    for (int i = 0; i < 4; ++i) {
        world.start(2);
        run_for(world, 1s, 1500ms);
        world.crash(2);
    }
    world.start(2);
    run_for(world, 1s, 1500ms);
    world.start(1);
    run_for(world, 4s, 5s);
    const Lives lives(world);
    world.crash(2);
    run_for(world, 420ms, 450ms); // longer than its lease
    lives.check_same(1);
    world.start(2);
    heal(world);
}

} // namespace

std::vector<Scenario> election_scenarios() {
    return {
        {"voter_goes_back", {.nodes = 3, .partition = kQuorum}, voter_goes_back},
        {"voter_goes_back_unheard", {.nodes = 3, .partition = kQuorum}, voter_goes_back_unheard},
        {"forgetful_voter", {.nodes = 3, .partition = kQuorum}, forgetful_voter},
        {"voter_to_and_fro", {.nodes = 3, .partition = kQuorum}, voter_to_and_fro},
        {"joiner_at_leaders_death", {.nodes = 5}, joiner_at_leaders_death},
        {"crash_loop_at_leaders_death", {.nodes = 5}, crash_loop_at_leaders_death},
        {"stranger_at_leaders_death", {.nodes = 4}, stranger_at_leaders_death},
        {"friend_of_the_unelectable",
         {.nodes = 5, .partition = kQuorum},
         friend_of_the_unelectable},
        {"mutes_return", {.nodes = 3, .witness = true}, mutes_return},
        {"word_of_the_former_leader",
         {.nodes = 3, .partition = kQuorum},
         word_of_the_former_leader},
        {"dies_in_a_hand_over", {.nodes = 3}, dies_in_a_hand_over},
        {"successor_is_elected", {.nodes = 3, .partition = kQuorum}, successor_is_elected},
        {"old_beats_in_a_partition", {.nodes = 2, .replays = true}, old_beats_in_a_partition},
        {"old_beats_of_one_that_left",
         {.nodes = 2, .witness = true, .replays = true},
         old_beats_of_one_that_left},
        {"own_old_beats", {.nodes = 2, .partition = kQuorum, .replays = true}, own_old_beats},
        {"leader_stops_among_old_beats",
         {.nodes = 2, .partition = kQuorum, .replays = true},
         leader_stops_among_old_beats},
        {"old_lives_at_leaders_death", {.nodes = 2, .witness = true, .replays = true}, old_lives_at_leaders_death},
    };
}

} // namespace sim
