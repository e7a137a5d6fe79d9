// SPDX-License-Identifier: Apache-2.0
// Single rules of the protocol, step by step; whole clusters are the simulator's business.
#include "heartbeat/membership.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>

using namespace heartbeat;
using namespace std::chrono_literals;

namespace {

NodeId id(unsigned number) { return NodeId{static_cast<std::uint8_t>(number)}; }

Settings settings_of(unsigned self, unsigned nodes = 3) {
    Settings settings;
    settings.self = id(self);
    for (unsigned i = 1; i <= nodes; ++i)
        settings.nodes.push_back(id(i));
    settings.config = 1;
    settings.section_names = {"cluster", "rule http"};
    settings.sections = {1, 2};
    return settings;
}

// Nodes on a wire without delay; time goes in steps of one millisecond.
struct Wire {
    Time now = 1s;
    std::vector<std::optional<Membership>> nodes;
    std::vector<std::vector<Note>> notes;
    std::vector<std::vector<Action>> actions;
    Beat last[33];
    unsigned away = 0; // this one hears nobody and is not heard

    explicit Wire(unsigned count) : nodes(count + 1), notes(count + 1), actions(count + 1) {}

    void add(unsigned number, Settings settings) {
        nodes[number].emplace(std::move(settings), now,
                              1000 * number + static_cast<Life>(now.count()));
    }
    std::optional<Refusal> give(unsigned number, const Event &event) {
        Outcome outcome = nodes[number]->step(now, 0x1234567812345678 * number, event);
        for (auto &note : outcome.notes)
            notes[number].push_back(note);
        for (auto &action : outcome.actions)
            actions[number].push_back(action);
        if (outcome.send) {
            last[number] = nodes[number]->beat(now, {}, 0);
            for (unsigned other = 1; other < nodes.size(); ++other)
                if (other != number && nodes[other] && number != away && other != away)
                    give_quietly(other, last[number]);
        }
        return outcome.refusal;
    }
    void give_quietly(unsigned number, const Beat &beat) {
        Outcome outcome = nodes[number]->step(now, 7, event::Received{beat});
        for (auto &note : outcome.notes)
            notes[number].push_back(note);
        for (auto &action : outcome.actions)
            actions[number].push_back(action);
    }
    void run(Duration length) {
        for (const Time end = now + length; now < end; now += 1ms)
            for (int pass = 0; pass < 4; ++pass)
                for (unsigned number = 1; number < nodes.size(); ++number)
                    if (nodes[number] && nodes[number]->wake_at() <= now)
                        give(number, event::Tick{});
    }
    Status status(unsigned number) const { return nodes[number]->status(now); }
    bool noted(unsigned number, const std::string &text) const {
        for (const Note &note : notes[number])
            if (note.text.find(text) != std::string::npos) return true;
        return false;
    }
};

Settings next_settings(unsigned number) {
    Settings next = settings_of(number);
    next.config = 9;
    next.sections = {1, 3};
    return next;
}

void stage(Wire &wire, unsigned number) {
    wire.give(number, event::Stage{next_settings(number)});
    wire.run(100ms);
}

std::ptrdiff_t configured(const Wire &wire, unsigned number) {
    return std::ranges::count_if(wire.actions[number], [](const Action &action) {
        return std::holds_alternative<action::Configure>(action);
    });
}

Wire three() {
    Wire wire(3);
    for (unsigned number : {1u, 2u, 3u})
        wire.add(number, settings_of(number));
    wire.run(1s);
    return wire;
}

} // namespace

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

BOOST_AUTO_TEST_CASE(a_staged_configuration_comes_into_force_when_every_member_has_staged_it) {
    Wire wire = three();
    stage(wire, 1);
    stage(wire, 3);
    BOOST_TEST(wire.status(1).staged);
    BOOST_TEST((wire.status(1).unstaged == std::vector{id(2)}));
    BOOST_TEST(wire.status(1).view.config == 1u);
    stage(wire, 2);
    for (unsigned number : {1u, 2u, 3u}) {
        const Status status = wire.status(number);
        BOOST_TEST(status.view.config == 9u);
        BOOST_TEST((status.state == NodeState::active && status.installed && !status.staged));
        BOOST_TEST(configured(wire, number) == 1);
        BOOST_TEST(!wire.noted(number, "differs"));
        BOOST_TEST(wire.noted(number, ": configuration changed"));
    }
}

BOOST_AUTO_TEST_CASE(a_node_that_has_staged_and_is_away_for_a_while_does_not_change_alone) {
    for (unsigned number : {1u, 3u}) {
        Wire wire = three();
        stage(wire, number);
        wire.away = number;
        wire.run(4s);
        BOOST_TEST((wire.status(number).state == NodeState::active)); // alone, under the old one
        wire.away = 0;
        wire.run(3s);
        BOOST_TEST(configured(wire, number) == 0);
        for (unsigned other : {1u, 2u, 3u}) {
            BOOST_TEST((wire.status(other).state == NodeState::active));
            BOOST_TEST(wire.status(other).view.members.size() == 3u);
        }
        BOOST_TEST(wire.status(number).staged);
    }
}

BOOST_AUTO_TEST_CASE(what_is_asked_for_meanwhile_holds_from_the_first_view_of_a_configuration) {
    Wire wire = three();
    Settings asked = next_settings(2);
    wire.give(2, event::Restage{asked}); // nothing is staged yet
    stage(wire, 2);
    asked.eligible = asked.weight = 0;
    wire.give(2, event::SetWeight{0});
    wire.give(2, event::SetEligible{0});
    wire.give(2, event::Restage{asked});
    wire.run(200ms);
    stage(wire, 1);
    const auto before = wire.status(1).view.number;
    stage(wire, 3);
    const Status status = wire.status(1);
    BOOST_TEST(status.view.config == 9u);
    const Member &member = *status.view.find(id(2));
    BOOST_TEST((member.weight == 0 && member.eligible == 0));
    BOOST_TEST(status.view.number.number == before.number + 1); // never otherwise
}

BOOST_AUTO_TEST_CASE(who_has_staged_another_is_told_apart) {
    Wire wire = three();
    stage(wire, 1);
    Settings other = next_settings(2);
    other.config = 10;
    wire.give(2, event::Stage{other});
    wire.run(200ms);
    BOOST_TEST((wire.status(1).unstaged == std::vector{id(2), id(3)}));
    BOOST_TEST((wire.status(1).staged_another == std::vector{id(2)}));
}

BOOST_AUTO_TEST_CASE(a_silent_member_is_waited_for_until_the_configuration_is_staged_again) {
    Wire wire = three();
    stage(wire, 1);
    wire.nodes[3].reset();
    wire.run(2s);
    stage(wire, 2);
    wire.give(1, event::Restage{next_settings(1)}); // that is no command
    wire.run(2s);
    BOOST_TEST((wire.status(1).unstaged == std::vector{id(3)}));
    BOOST_TEST(configured(wire, 1) == 0);
    stage(wire, 1);
    BOOST_TEST(configured(wire, 1) == 1);
    BOOST_TEST(configured(wire, 2) == 1);
}

BOOST_AUTO_TEST_CASE(a_node_that_has_met_nobody_changes_alone) {
    Wire wire(3);
    wire.add(2, settings_of(2));
    wire.run(10ms);
    stage(wire, 2);
    BOOST_TEST(configured(wire, 2) == 0);
    wire.run(1s);
    BOOST_TEST(configured(wire, 2) == 1);
}

BOOST_AUTO_TEST_CASE(under_the_new_configuration_a_member_is_eligible_for_what_it_said_with_the_stage) {
    Wire wire = three();
    for (unsigned number : {1u, 2u, 3u}) {
        Settings next = next_settings(number);
        next.eligible = number;
        wire.give(number, event::Stage{next});
    }
    wire.run(100ms);
    const View view = wire.status(1).view;
    BOOST_TEST(view.config == 9u);
    for (unsigned number : {1u, 2u, 3u})
        BOOST_TEST(view.find(id(number))->eligible == number);
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

BOOST_AUTO_TEST_CASE(a_different_configuration_is_refused_by_name_on_both_sides) {
    Wire wire(3);
    wire.add(1, settings_of(1));
    wire.add(2, settings_of(2));
    wire.run(1s);
    Settings other = settings_of(3);
    other.config = 2;
    other.sections[1] = 77;
    wire.add(3, other);
    wire.run(1s);
    BOOST_TEST(wire.status(1).view.members.size() == 2u);
    BOOST_TEST(wire.status(3).reason == "refused: configuration differs from node 1's in rule http");
    BOOST_TEST(wire.status(1).nodes[2].reason == "refused: configuration differs in rule http");
    BOOST_TEST((wire.status(3).state == NodeState::joining));
}

BOOST_AUTO_TEST_CASE(without_a_view_the_larger_group_of_equal_configurations_wins) {
    Wire wire(3);
    Settings other = settings_of(1);
    other.config = 2;
    wire.add(1, other);
    wire.add(2, settings_of(2));
    wire.add(3, settings_of(3));
    wire.run(1500ms);
    BOOST_TEST((wire.status(2).state == NodeState::active));
    BOOST_TEST((wire.status(3).state == NodeState::active));
    BOOST_TEST((wire.status(1).state == NodeState::joining));
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
        !wire.give(1, event::Received{recorded}).has_value()); // who has just started cannot tell
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
