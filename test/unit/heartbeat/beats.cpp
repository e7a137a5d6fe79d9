// SPDX-License-Identifier: Apache-2.0
// Which beats are believed, and what those that are not, or cannot be read, change.
#include "test/unit/heartbeat/wire.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace wire_test;

BOOST_AUTO_TEST_SUITE(membership)

BOOST_AUTO_TEST_CASE(who_hears_beats_that_it_cannot_read_stays_outside_until_they_cease) {
    Wire wire(1);
    wire.add(1, settings_of(1));
    for (int i = 0; i < 40; ++i) {
        wire.give(1, event::Unreadable{id(2)});
        wire.run(50ms);
    }
    BOOST_TEST((wire.status(1).state == NodeState::joining));
    BOOST_TEST(wire.status(1).reason ==
               "hears beats of this cluster under another key or of another version");
    BOOST_TEST(std::ranges::count_if(wire.notes[1], [](const Note &note) {
        return note.text.starts_with("cluster: stays outside");
    }) == 1);
    wire.give(1, event::WitnessAnswered{wire.now});
    wire.run(2s);
    BOOST_TEST((wire.status(1).state == NodeState::active));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_concerns_nobody_whose_nodes_it_is_not) {
    Wire wire(1);
    wire.add(1, settings_of(1));
    for (int i = 0; i < 40; ++i) {
        wire.give(1, event::Unreadable{id(1)});
        wire.give(1, event::Unreadable{id(9)});
        wire.give(1, event::WitnessAnswered{wire.now});
        wire.run(50ms);
    }
    BOOST_TEST((wire.status(1).state == NodeState::active));
}

BOOST_AUTO_TEST_CASE(a_beat_of_its_own_life_that_it_has_not_sent_is_another_one) {
    Wire wire = three();
    const Life life = wire.status(2).life;
    Beat beat = wire.last[2];
    BOOST_TEST((wire.give(2, event::Received{beat}) == Refusal::own_echo));
    BOOST_TEST(wire.status(2).life == life);
    beat.sequence += 1;
    BOOST_TEST((wire.give(2, event::Received{beat}) == Refusal::id_taken));
    BOOST_TEST(wire.status(2).life != life);
    BOOST_TEST(wire.nodes[2]->lease_until() == Time{});
}

BOOST_AUTO_TEST_CASE(a_member_goes_on_whatever_it_cannot_read) {
    Wire wire = three();
    for (int i = 0; i < 40; ++i) {
        for (unsigned number : {1u, 2u, 3u})
            wire.give(number, event::Unreadable{id(number % 3 + 1)});
        wire.run(50ms);
    }
    for (unsigned number : {1u, 2u, 3u})
        BOOST_TEST((wire.status(number).state == NodeState::active));
}

BOOST_AUTO_TEST_CASE(a_second_process_with_a_taken_id_is_refused_and_told) {
    Wire wire(4); // the fourth place on the wire is the impostor, node 2 again
    for (unsigned number : {1u, 2u, 3u})
        wire.add(number, settings_of(number));
    wire.run(1s);
    const Life life = wire.status(2).life;
    wire.add(4, settings_of(2));
    wire.run(2s);
    BOOST_TEST((wire.status(2).state == NodeState::active));
    BOOST_TEST(wire.status(1).view.holds(id(2), life));
    BOOST_TEST((wire.status(4).state == NodeState::joining));
    BOOST_TEST(wire.status(4).reason == "refused: id 2 is in use by another node");
    BOOST_TEST(wire.noted(2, "another process uses this id"));
}

BOOST_AUTO_TEST_CASE(replays_and_strangers_are_refused_with_a_reason) {
    Wire wire = three();
    auto refusal = [&](const Beat &beat) { return wire.give(1, event::Received{beat}); };
    Beat replayed = wire.last[2];
    BOOST_TEST((refusal(replayed) == Refusal::replayed));
    Beat echo = wire.last[1];
    BOOST_TEST((refusal(echo) == Refusal::own_echo));
    Beat stranger = wire.last[2];
    stranger.sender = id(9);
    BOOST_TEST((refusal(stranger) == Refusal::unknown_node));
    Beat taken = wire.last[2];
    taken.life += 1;
    BOOST_TEST((refusal(taken) == Refusal::id_taken));
    const Beat old_life = wire.last[2];
    wire.give(2, event::Stop{});
    wire.run(500ms);
    BOOST_TEST((refusal(old_life) == Refusal::superseded));
}

// Recorded in the life before, when all heard each other.
BOOST_AUTO_TEST_CASE(what_quotes_a_beat_of_long_ago_is_a_replay) {
    Wire wire = three();
    const Beat recorded = wire.last[2];
    wire.give(2, event::Leave{});
    wire.run(1s);
    wire.nodes[2].reset();
    wire.nodes[1].reset();
    wire.add(1, settings_of(1));
    wire.run(1s);
    BOOST_TEST(
        !wire.give(1, event::Received{recorded}).has_value()); // a node that has just started cannot tell
    wire.run(1s);
    Beat later = recorded;
    ++later.sequence;
    BOOST_TEST((wire.give(1, event::Received{later}) == Refusal::replayed));
}

BOOST_AUTO_TEST_CASE(a_replay_takes_nobodys_place_for_long) {
    Wire wire = three();
    Beat unknown =
        wire.last[2]; // of a life that 1 has never heard, recorded when 2 did not hear it
    unknown.life += 1;
    unknown.quotes.clear();
    wire.away = 2;
    wire.run(1200ms);
    BOOST_TEST(!wire.give(1, event::Received{unknown}).has_value());
    wire.away = 0;
    wire.run(1s);
    for (unsigned number : {1u, 2u, 3u})
        BOOST_TEST((wire.status(number).state == NodeState::active));
    BOOST_TEST(wire.status(1).view.holds(id(2), wire.status(2).life));
}

BOOST_AUTO_TEST_CASE(its_own_old_beats_are_no_other_process) {
    Wire wire(3);
    wire.add(1, settings_of(1));
    wire.run(1s);
    Beat before = wire.last[1];
    wire.add(1, settings_of(1));
    for (int i = 0; i < 30; ++i) {
        ++before.sequence;
        BOOST_TEST((wire.give(1, event::Received{before}) == Refusal::id_taken));
        wire.run(50ms);
    }
    BOOST_TEST((wire.status(1).state == NodeState::active));
    BOOST_TEST(!wire.noted(1, "another process uses this id"));
}

namespace {

const Electorate kElectorate{.step = 1, .made_step = 1, .nodes = 0b111};

// Of two peers that hear node 1 and each other, and would have it lead.
Beat supporter(unsigned number, Sequence sequence, const Wire &wire, Vote vote) {
    Beat beat;
    beat.sender = id(number);
    beat.life = number;
    beat.sequence = sequence;
    beat.clock = wire.now;
    beat.weight = 100;
    beat.eligible = beat.healthy = ~RuleBits{0};
    beat.role = Role::supporting;
    beat.choice = id(1);
    beat.may_lead = true;
    beat.vote = vote;
    beat.electorate = kElectorate;
    beat.config = 1;
    beat.sections = {1, 2};
    beat.quotes = {{id(1), wire.last[1].life, wire.last[1].sequence, kLongAgo}};
    return beat;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_node_whose_vote_is_lost_stands_again_at_once) {
    Wire wire(1);
    Settings settings = settings_of(1);
    settings.partition = Partition::quorum;
    wire.add(1, settings, kElectorate);
    Sequence sequence = 0;
    const auto hear_both = [&](Vote vote) {
        ++sequence;
        for (const unsigned peer : {2u, 3u})
            wire.give(1, event::Received{supporter(peer, sequence, wire, vote)});
        wire.run(2ms);
    };
    for (int i = 0; i < 1000 && wire.last[1].role != Role::standing; ++i)
        hear_both({});
    BOOST_REQUIRE((wire.last[1].role == Role::standing));
    const Term term = wire.last[1].term;
    hear_both({term, id(2)});
    hear_both({term, id(2)});
    BOOST_TEST((wire.last[1].role == Role::standing));
    BOOST_TEST(wire.last[1].term == term + 1);
}

BOOST_AUTO_TEST_CASE(a_leader_stands_again_when_another_has_claimed_the_electorate_in_its_term) {
    Wire wire(1);
    Settings settings = settings_of(1);
    settings.partition = Partition::quorum;
    wire.add(1, settings, kElectorate);
    Sequence sequence = 0;
    Electorate kept = kElectorate;
    const auto hear_both = [&] {
        ++sequence;
        for (const unsigned peer : {2u, 3u}) {
            const bool stands = wire.last[1].role == Role::standing;
            Beat beat = supporter(peer, sequence, wire, stands ? wire.last[1].vote : Vote{});
            if (wire.last[1].role == Role::leading) beat.role = Role::following;
            beat.term = wire.last[1].term;
            beat.electorate = kept;
            wire.give(1, event::Received{beat});
        }
        wire.run(2ms);
    };
    for (int i = 0; i < 1000 && wire.last[1].role != Role::leading; ++i)
        hear_both();
    BOOST_REQUIRE((wire.last[1].role == Role::leading));
    const Term term = wire.last[1].term;
    kept = {.term = term, .leader = id(2), .step = 1, .made_step = 1, .nodes = 0b111};
    for (int i = 0; i < 10 && wire.last[1].term == term; ++i)
        hear_both();
    BOOST_TEST(wire.last[1].term > term);
}

namespace {

Settings quorum_of(unsigned self, unsigned nodes) {
    Settings settings = settings_of(self, nodes);
    settings.partition = Partition::quorum;
    settings.config = nodes;
    return settings;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_first_start_in_a_quorum_needs_every_node_and_a_later_one_a_majority) {
    Wire wire(3);
    for (const unsigned number : {1u, 2u})
        wire.add(number, quorum_of(number, 3));
    wire.run(2s);
    BOOST_TEST(!wire.status(1).electorate.known());
    BOOST_TEST(wire.status(1).reason == "waiting for node 3: the first start with partition = \"quorum\" needs every node once");
    wire.add(3, quorum_of(3, 3));
    wire.run(2s);
    for (const unsigned number : {1u, 2u, 3u}) {
        BOOST_TEST((wire.status(number).state == NodeState::active));
        BOOST_TEST(wire.status(number).electorate.nodes == 0b111u);
    }
    const Electorate kept = wire.status(1).electorate;
    Wire later(3);
    for (const unsigned number : {1u, 3u})
        later.add(number, quorum_of(number, 3), kept);
    later.run(2s);
    BOOST_TEST((later.status(1).state == NodeState::active));
}

BOOST_AUTO_TEST_CASE(a_list_of_nodes_that_no_majority_has_kept_counts_for_nothing) {
    Wire wire(5);
    const Electorate kept{.step = 1, .made_step = 1, .nodes = 0b111};
    wire.add(3, quorum_of(3, 5), kept); // by the new file, with the two new nodes: a majority of that
    for (const unsigned number : {4u, 5u})
        wire.add(number, quorum_of(number, 5));
    wire.run(3s);
    for (const unsigned number : {3u, 4u, 5u})
        BOOST_TEST((wire.status(number).state == NodeState::joining));
    BOOST_TEST(wire.status(3).reason == "with 1 of 3 nodes, quorum needs 2");
    wire.add(1, quorum_of(1, 5), kept);
    wire.run(4s);
    BOOST_TEST((wire.status(5).state == NodeState::active));
    BOOST_TEST(wire.status(5).electorate.nodes == 0b11111u);
    BOOST_TEST(wire.status(5).electorate.former == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
