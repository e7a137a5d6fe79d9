// SPDX-License-Identifier: Apache-2.0
// Single rules of the protocol, step by step; whole clusters are the simulator's business.
#include "test/unit/heartbeat/wire.hpp"

#include <boost/test/unit_test.hpp>

using namespace wire_test;

BOOST_AUTO_TEST_SUITE(membership)

BOOST_AUTO_TEST_CASE(a_successor_that_cannot_resume_ends_the_life_before_and_keeps_its_promises) {
    Wire wire = three();
    Saved saved = wire.nodes[2]->save();
    saved.installed = false;
    wire.nodes[2].emplace(settings_of(2), wire.now, 77, saved);
    BOOST_TEST((wire.nodes[2]->save().vote == saved.vote));
    BOOST_TEST(wire.nodes[2]->save().highest_term == saved.highest_term);
    BOOST_TEST((wire.nodes[2]->save().led == saved.led));
    wire.run(20ms);
    BOOST_TEST(wire.last[2].previous == saved.life);
    BOOST_TEST(!wire.status(1).view.holds(id(2), saved.life));
    BOOST_TEST(wire.status(1).installed);
}

BOOST_AUTO_TEST_CASE(three_nodes_become_one_view_led_by_the_lowest_id) {
    Wire wire = three();
    for (unsigned number : {1u, 2u, 3u}) {
        const Status status = wire.status(number);
        BOOST_TEST((status.state == NodeState::active));
        BOOST_TEST(status.installed);
        BOOST_TEST((status.leader == id(1)));
        BOOST_TEST(status.view.members.size() == 3u);
        BOOST_TEST((status.view == wire.status(1).view));
        BOOST_TEST(status.reason == "");
    }
}

BOOST_AUTO_TEST_CASE(a_process_listens_before_it_forms_a_cluster) {
    Wire wire(3);
    wire.add(2, settings_of(2));
    wire.run(490ms);
    BOOST_TEST((wire.status(2).state == NodeState::joining));
    wire.run(100ms);
    BOOST_TEST((wire.status(2).state == NodeState::active));
}

BOOST_AUTO_TEST_CASE(gained_buckets_are_served_only_after_a_release_by_all) {
    Wire wire = three();
    for (unsigned number : {1u, 2u, 3u})
        wire.actions[number].clear();
    wire.give(3, event::SetWeight{10});
    wire.run(200ms);
    for (unsigned number : {1u, 2u, 3u}) {
        BOOST_REQUIRE(wire.actions[number].size() == 2u);
        BOOST_TEST(std::holds_alternative<action::Release>(wire.actions[number][0]));
        BOOST_TEST(std::holds_alternative<action::Serve>(wire.actions[number][1]));
    }
}

BOOST_AUTO_TEST_CASE(a_member_that_does_not_report_holds_up_the_gain) {
    Wire wire = three();
    auto silent = std::move(wire.nodes[3]);
    wire.nodes[3].reset();
    wire.give(2, event::SetWeight{10});
    wire.run(300ms);
    BOOST_TEST(!wire.status(1).installed);
    wire.run(400ms); // removed by now
    BOOST_TEST(wire.status(1).installed);
    BOOST_TEST(wire.status(1).view.members.size() == 2u);
}

BOOST_AUTO_TEST_CASE(a_dead_node_is_removed_not_before_dead_after) {
    Wire wire = three();
    wire.nodes[3].reset();
    wire.run(440ms);
    BOOST_TEST(wire.status(1).view.members.size() == 3u);
    wire.run(200ms);
    BOOST_TEST(wire.status(1).view.members.size() == 2u);
    BOOST_TEST((wire.status(1).nodes[2].state == NodeState::dead));
}

BOOST_AUTO_TEST_CASE(when_the_leader_dies_the_next_leads_and_no_lease_runs_out) {
    Wire wire = three();
    wire.nodes[1].reset();
    wire.run(1s);
    for (unsigned number : {2u, 3u}) {
        BOOST_TEST((wire.status(number).leader == id(2)));
        BOOST_TEST(wire.status(number).view.members.size() == 2u);
        BOOST_TEST(!wire.noted(number, "fenced"));
    }
}

BOOST_AUTO_TEST_CASE(a_stopped_node_holds_nothing_and_can_start_again) {
    Wire wire = three();
    wire.give(1, event::Stop{});
    wire.run(700ms); // it led: the next leader changes nothing until its grace is over
    BOOST_TEST((wire.status(1).state == NodeState::stopped));
    BOOST_TEST(wire.status(2).view.members.size() == 2u);
    BOOST_TEST((wire.status(2).nodes[0].state == NodeState::stopped));
    BOOST_TEST(!wire.noted(2, "fenced"));
    wire.give(1, event::Start{});
    wire.run(500ms);
    BOOST_TEST((wire.status(1).state == NodeState::active));
}

BOOST_AUTO_TEST_CASE(a_leaver_is_gone_at_once_and_for_good) {
    Wire wire = three();
    wire.give(2, event::Leave{});
    wire.run(100ms);
    BOOST_TEST((wire.status(2).state == NodeState::dead));
    BOOST_TEST(wire.status(1).view.members.size() == 2u);
    BOOST_TEST((wire.nodes[2]->wake_at() == kNever));
}

BOOST_AUTO_TEST_CASE(a_node_that_is_not_heard_is_fenced_before_it_is_removed) {
    Wire wire = three();
    Membership deaf = std::move(*wire.nodes[3]);
    wire.nodes[3].reset();
    const Time lease = deaf.lease_until();
    wire.run(300ms);
    BOOST_TEST((lease < wire.now + 200ms)); // 500 ms after the last word of it the others take over
    const Outcome outcome = deaf.step(lease, 99, event::Tick{});
    BOOST_TEST((deaf.status(lease).state == NodeState::fenced));
    BOOST_TEST(std::holds_alternative<action::Silence>(outcome.actions.at(0)));
    BOOST_TEST((deaf.lease_until() == Time{}));
}

BOOST_AUTO_TEST_CASE(buckets_are_guarded_until_every_member_has_reported_the_view) {
    Wire wire = three();
    BOOST_TEST((wire.nodes[2]->guarded() == GroupSet{}));
    wire.nodes[3].reset();
    wire.give(1, event::SetWeight{10});
    wire.run(100ms);
    BOOST_TEST((wire.nodes[2]->guarded()[0] == ~std::uint64_t{0}));
    wire.run(900ms);
    BOOST_TEST((wire.nodes[2]->guarded() == GroupSet{}));
}

BOOST_AUTO_TEST_CASE(a_lone_node_serves_only_while_its_witness_answers) {
    Wire wire(2);
    Settings settings = settings_of(1, 2);
    settings.witness = true;
    wire.add(1, settings);
    for (int answers = 0; answers < 30; ++answers) {
        BOOST_TEST(wire.nodes[1]->asks_witness(wire.now));
        wire.give(1, event::WitnessAnswered{wire.now});
        wire.run(50ms);
        if (answers < 12) continue; // it listens
        BOOST_TEST((wire.status(1).state == NodeState::active));
        BOOST_TEST((wire.nodes[1]->lease_until() > wire.now));
    }
    wire.run(500ms);
    BOOST_TEST((wire.status(1).state != NodeState::active));
    BOOST_TEST((wire.nodes[1]->lease_until() <= wire.now));
    BOOST_TEST(wire.status(1).reason == "alone, and the witness does not answer");
}

BOOST_AUTO_TEST_CASE(a_node_that_was_cut_off_listens_before_it_serves_alone) {
    Wire wire(2);
    Settings settings = settings_of(1, 2);
    settings.witness = true;
    wire.add(1, settings);
    wire.run(1s);
    const auto answer_for = [&](Duration length) {
        for (const Time end = wire.now + length; wire.now < end; wire.run(50ms))
            wire.give(1, event::WitnessAnswered{wire.now});
    };
    answer_for(450ms);
    BOOST_TEST((wire.nodes[1]->lease_until() <= wire.now));
    BOOST_TEST((wire.status(1).state != NodeState::active));
    answer_for(150ms);
    BOOST_TEST((wire.status(1).state == NodeState::active));
}

BOOST_AUTO_TEST_CASE(an_answer_of_the_witness_that_waited_is_worth_nothing) {
    Wire wire(2);
    Settings settings = settings_of(1, 2);
    settings.witness = true;
    wire.add(1, settings);
    wire.run(1s);
    wire.give(1, event::WitnessAnswered{wire.now - 500ms});
    wire.run(5ms);
    BOOST_TEST((wire.status(1).state != NodeState::active));
}

BOOST_AUTO_TEST_SUITE_END()
