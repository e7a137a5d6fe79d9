// SPDX-License-Identifier: Apache-2.0
//
// Each is a short course of faults around the moment that once went wrong; its exact times follow
// from the seed. One owner is demanded throughout (except a partition under `serve`), and in the
// end a cluster that serves everything.
#include "scenarios.hpp"

#include "faults.hpp"
#include "steps.hpp"

namespace sim {
namespace {

constexpr auto kQuorum = heartbeat::Partition::quorum;

// 1. A stalled node wakes up, and its timer runs before its queue is read: it believes that it is
// alone, and takes everything.
void timer_before_queue(World &world) {
    form(world, 1, 3);
    world.stall(world.any_node(), world.scaled_between(300ms, 1500ms));
    run_for(world, 2s, 3s);
    heal(world);
}

// 2. A node that is cut off passes a barrier, because it waits for no other node.
void barrier_of_one(World &world) {
    form(world, 1, 3);
    reweight(world, 1, 10); // the others gain
    world.after(world.scaled_between(0ms, 3ms),
                [&world] { damage_cable(world, 2, Cable::pulled, world.options().scaled(3s)); });
    run_for(world, 4s, 5s);
    heal(world);
}

// 3. "I serve nothing", said before it joined, and believed afterwards by the next leader.
void said_before_joining(World &world) {
    form(world, 1, 2);
    world.start(3);
    world.ambush([&world](unsigned leader) { world.crash(leader); });
    run_for(world, 1s, 2s);
    heal(world);
}

// 4. The only node that hears two others restarts, and has forgotten that it heard one of them.
void forgetful_bridge(World &world) {
    form(world, 1, 3);
    cut_both(world, 1, 3);
    run_for(world, 100ms, 1s);
    for (int i = 0; i < 4; ++i) {
        world.kill(2);
        run_for(world, 1ms, 200ms);
        world.start(2);
        run_for(world, 10ms, 700ms);
    }
    heal(world);
}

// 5. A newcomer does not know a node that serves: they do not hear each other.
void unknown_server(World &world) {
    form(world, 1, 3);
    const unsigned unheard = 1 + static_cast<unsigned>(world.random()() % 3);
    cut_both(world, 4, unheard);
    world.start(4);
    run_for(world, 500ms, 2s);
    world.crash(unheard == 1 ? 2 : 1);
    run_for(world, 500ms, 2s);
    heal(world);
}

// 6. Two leaders deaf to each other, their followers going to and fro between them.
void deaf_leaders(World &world) {
    form(world, 1, 5);
    cut_both(world, 1, 2);
    for (int i = 0; i < 6; ++i) {
        world.stall(leader_of(world), world.scaled_between(150ms, 600ms));
        run_for(world, 100ms, 800ms);
    }
    heal(world);
}

// 7. A beat that does not quote me is ignored, though its sender serves.
void unquoted_server(World &world) {
    form(world, 1, 3);
    cut(world, 1, 2, world.options().scaled(60s)); // 2 no longer hears 1
    run_for(world, 100ms, 1s);
    world.crash(3);
    run_for(world, 1s, 2s);
    world.start(3);
    run_for(world, 1s, 2s);
    heal(world);
}

// 8. One beat lost on a link that works in one direction only, and a lease extended by the node's
// own clock.
void one_way_and_a_loss(World &world) {
    form(world, 1, 2);
    const unsigned from = world.any_node();
    cut(world, from, 3 - from, world.options().scaled(60s));
    world.link(3 - from, from).loss = 0.3;
    run_for(world, 1s, 4s);
    heal(world);
}

// 9. A voter restarts, and votes again in the same term.
void second_vote(World &world) {
    form(world, 1, 4);
    cut_both(world, 1, 2); // two candidates
    world.crash(leader_of(world));
    for (int i = 0; i < 5; ++i) {
        run_for(world, 20ms, 200ms);
        const unsigned voter = 3 + static_cast<unsigned>(world.random()() % 2);
        world.kill(voter);
        world.start(voter);
    }
    heal(world);
}

// 10. Two leaders each inherit the other as a silent member, and remove it.
void mutual_inheritance(World &world) {
    form(world, 1, 4);
    partition(world, {false, false, false, true, true}, false, world.scaled_between(50ms, 2s));
    run_for(world, 3s, 4s);
    heal(world);
}

// 11. A deaf node, to which all others yield because they hear it.
void deaf_and_deferred_to(World &world) {
    form(world, 1, 3);
    const unsigned deaf = world.any_node();
    damage_cable(world, deaf, Cable::deaf, world.options().scaled(10s));
    world.run_until(world.now() + 6 * world.options().dead_after);
    if (world.accepting(world.node(deaf)).any()) throw Violation("a deaf node goes on serving");
    if (!world.served().all()) throw Violation("P2: nobody serves while one node is deaf");
    heal(world);
}

// 12. Two newcomers that are not heard by the node that serves elect each other; one of them hears
// it, and the link comes back before that has stopped to be a reason to wait.
void unheard_newcomers(World &world) {
    form(world, 1, 1);
    for (Link *link : {&world.link(2, 1), &world.link(3, 1), &world.link(1, 3)})
        link->up = false;
    world.start(2);
    world.start(3);
    run_for(world, 700ms, 950ms);
    heal(world);
}

// 13. A deaf node that takes itself for the only one left, for its link is up: the clients' packets
// may not reach it either, so the others do not wait for it for ever, nor give way to it.
void deaf_with_a_link(World &world) {
    form(world, 1, 3);
    const unsigned deaf = world.any_node();
    const bool leads = deaf == leader_of(world); // then the others' leases run out meanwhile
    damage_cable(world, deaf, Cable::deaf, world.options().scaled(10s));
    const Lives lives(world);
    world.run_until(world.now() + 6 * world.options().dead_after);
    Buckets others;
    for (unsigned id = 1; id <= 3; ++id) {
        if (id == deaf) continue;
        others |= world.accepting(world.node(id));
        if (!leads) lives.check_same(id);
    }
    if (!others.all()) throw Violation("P2: the others wait for a node that hears nobody");
    heal(world);
}

// 14. A leader that is missed for longer than leader_timeout, but not for a lease: it comes back to a
// successor, and nothing moves.
void missed_leader(World &world) {
    form(world, 1, 3);
    const Lives lives(world);
    world.stall(leader_of(world), world.scaled_between(170ms, 300ms));
    run_for(world, 1s, 2s);
    for (unsigned id = 1; id <= 3; ++id)
        lives.check_same(id);
    heal(world);
}

// 15. The service dies and returns on all nodes in turn, faster than views can follow, and on all at
// once, while leaders are lost: some node still serves, and only the willing ones do.
void service_dies_everywhere(World &world) {
    const auto set = [&world](unsigned id, bool works) {
        const auto rules = works ? ~heartbeat::RuleBits{0} : heartbeat::RuleBits{0};
        world.order(id, heartbeat::event::SetHealthy{rules});
    };
    form(world, 1, 4);
    world.order(4, heartbeat::event::SetEligible{0}); // drained by an order
    for (int i = 0; i < 40; ++i) {
        set(1 + static_cast<unsigned>(world.random()() % 4), world.chance(0.3));
        if (i % 8 == 7) world.stall(leader_of(world), world.scaled_between(100ms, 300ms));
        run_for(world, 1ms, 200ms);
    }
    for (unsigned id = 1; id <= 4; ++id)
        set(id, false);
    run_for(world, 2s, 3s);
    if (!world.served().all()) throw Violation("P2: nobody serves what works nowhere");
    if (world.accepting(world.node(4)).any()) throw Violation("a drained node serves again");
    const unsigned healthy = 1 + static_cast<unsigned>(world.random()() % 3);
    set(healthy, true);
    run_for(world, 1s, 2s);
    if (!world.accepting(world.node(healthy)).all())
        throw Violation("P2: the one node on which it works does not serve it all");
    heal(world);
}

// 16. Some nodes come back with a key that the others have given up: they stay outside as long as a
// node with the other key is present, and serve when none is.
void another_key(World &world) {
    form(world, 1, 3);
    for (unsigned id : {4u, 5u}) {
        world.set_key(id, 2);
        world.after(world.scaled_between(0ms, 2s), [&world, id] { world.start(id); });
    }
    world.stall(leader_of(world), world.scaled_between(100ms, 300ms));
    run_for(world, 3s, 5s);
    if ((world.accepting(world.node(4)) | world.accepting(world.node(5))).any())
        throw Violation("P1: nodes with another key serve");
    for (unsigned id : {1u, 2u, 3u})
        world.crash(id);
    run_for(world, 3s, 4s);
    if (!(world.accepting(world.node(4)) | world.accepting(world.node(5))).all())
        throw Violation("P2: nodes with another key wait for those that are gone");
    for (unsigned id : {4u, 5u}) {
        world.kill(id);
        world.set_key(id, 1);
    }
    heal(world);
}

// 17. The witness has died: a node that hears others does without it, from the start on, and when
// all have been cut off from each other. Alone, a node is silent.
void witness_is_gone(World &world) {
    world.lose_witness();
    form(world, 1, 3);
    const Duration cut = world.options().scaled(1500ms);
    for (unsigned id : {1u, 2u, 3u})
        damage_cable(world, id, Cable::pulled, cut);
    world.run_until(world.now() + cut + 6 * world.options().dead_after);
    if (!world.settled()) throw Violation("P2: nodes that hear each other wait for a witness");
    for (unsigned id : {2u, 3u})
        world.crash(id);
    run_for(world, 2s, 3s);
    if (world.accepting(world.node(1)).any())
        throw Violation("a node serves alone without its witness");
    for (unsigned id : {2u, 3u})
        world.start(id);
    heal(world);
}

// 18. Buckets move, and in the middle of what that writes to a filter the agent there dies; it is back within its
// lease, or later. The filter goes on by what was written.
void dies_in_a_write(World &world) {
    form(world, 1, 3);
    run_for(world, 2s, 3s); // connections
    for (int times = 0; times < 8; ++times) {
        const unsigned dying = world.any_node(), moved = world.chance(0.5) ? dying : world.any_node();
        const auto writes = std::uniform_int_distribution<unsigned>(1, 10)(world.random());
        world.light_fuse(dying, writes, world.chance(0.5) ? world.scaled_between(1ms, 200ms) : world.scaled_between(200ms, 1s));
        reweight(world, moved, world.chance(0.5) ? 100 : 10);
        run_for(world, 1500ms, 2s);
    }
    heal(world);
}

// Forwarding: a member's beats do not reach some of those at which its clients' packets come in; they have never heard the
// life in which it holds connections of buckets that have moved on.
void holder_is_not_heard(World &world) {
    form(world, 1, 4);
    const unsigned leader = leader_of(world), holder = leader % 4 + 1;
    for (const unsigned other : {holder % 4 + 1, (holder + 1) % 4 + 1})
        if (other != leader) world.link(holder, other).up = false;
    world.kill(holder);
    run_for(world, 600ms, 700ms); // longer than its lease
    world.start(holder);
    run_for(world, 2s, 3s);
    reweight(world, holder, 10);
    run_for(world, 9s, 11s); // which buckets moved is remembered for five seconds
    heal(world);
}

} // namespace

std::vector<Scenario> scenarios(const std::string &name) {
    const std::vector<Scenario> all{
        {"timer_before_queue", {.nodes = 3}, timer_before_queue},
        {"barrier_of_one", {.nodes = 3, .witness = true}, barrier_of_one},
        {"said_before_joining", {.nodes = 3}, said_before_joining},
        {"forgetful_bridge", {.nodes = 3, .partition = kQuorum}, forgetful_bridge},
        {"unknown_server", {.nodes = 4, .partition = kQuorum}, unknown_server},
        {"deaf_leaders", {.nodes = 5, .partition = kQuorum}, deaf_leaders},
        {"unquoted_server", {.nodes = 3, .partition = kQuorum}, unquoted_server},
        {"one_way_and_a_loss", {.nodes = 2, .partition = kQuorum}, one_way_and_a_loss},
        {"second_vote", {.nodes = 4, .partition = kQuorum}, second_vote},
        {"mutual_inheritance", {.nodes = 4}, mutual_inheritance},
        {"deaf_and_deferred_to", {.nodes = 3, .witness = true}, deaf_and_deferred_to},
        {"unheard_newcomers", {.nodes = 3}, unheard_newcomers},
        {"deaf_with_a_link", {.nodes = 3}, deaf_with_a_link},
        {"missed_leader", {.nodes = 3}, missed_leader},
        {"service_dies_everywhere", {.nodes = 4}, service_dies_everywhere},
        {"another_key", {.nodes = 5}, another_key},
        {"witness_is_gone", {.nodes = 3, .witness = true}, witness_is_gone},
        {"dies_in_a_write", {.nodes = 3}, dies_in_a_write},
        {"holder_is_not_heard", {.nodes = 4, .forward = true}, holder_is_not_heard},
        {"dies_in_a_write_quorum", {.nodes = 3, .partition = kQuorum}, dies_in_a_write},
    };
    std::vector<Scenario> chosen;
    for (const auto &list : {all, election_scenarios(), office_scenarios(), list_scenarios(), plane_scenarios()})
        for (const Scenario &scenario : list)
            if (name.empty() || name == scenario.name) chosen.push_back(scenario);
    return chosen;
}

} // namespace sim
