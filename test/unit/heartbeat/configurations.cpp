// SPDX-License-Identifier: Apache-2.0
// Configurations that differ, and how another one comes into force.
#include "test/unit/heartbeat/wire.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace wire_test;

namespace {

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

} // namespace

BOOST_AUTO_TEST_SUITE(membership)

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
    wire.give(1, event::Restage{next_settings(1)}); // that is not a command
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

BOOST_AUTO_TEST_CASE(a_node_that_the_new_configuration_does_not_list_leaves_when_all_are_ready) {
    Wire wire = three();
    for (unsigned number : {1u, 3u, 2u}) { // node 1 leads
        BOOST_TEST((wire.status(1).state == NodeState::active && !wire.status(1).removed));
        Settings next = next_settings(number);
        next.nodes = {id(2), id(3)};
        wire.give(number, event::Stage{next});
        wire.run(100ms);
    }
    wire.run(1s);
    const Status removed = wire.status(1);
    BOOST_TEST((removed.removed && !removed.staged && removed.state == NodeState::stopped));
    BOOST_TEST(removed.reason == "removed: the configuration in force does not list this node");
    BOOST_TEST(configured(wire, 1) == 0);
    for (unsigned number : {2u, 3u}) {
        const Status status = wire.status(number);
        BOOST_TEST((status.view.config == 9u && status.view.members.size() == 2u && status.nodes.size() == 2u));
        BOOST_TEST((status.state == NodeState::active && status.installed));
    }
    wire.give(1, event::Stage{settings_of(1)}); // the former one again
    wire.run(100ms);
    BOOST_TEST(!wire.status(1).removed);
    BOOST_TEST(wire.status(1).reason.starts_with("refused: configuration differs"));
}

BOOST_AUTO_TEST_CASE(a_removal_for_which_one_node_is_missing_is_taken_back) {
    Wire wire = three();
    for (unsigned number : {1u, 2u}) {
        Settings next = next_settings(number);
        next.nodes = {id(2), id(3)};
        wire.give(number, event::Stage{next});
    }
    wire.run(1s);
    BOOST_TEST((wire.status(1).unstaged == std::vector{id(3)}));
    for (unsigned number : {1u, 2u})
        wire.give(number, event::Stage{settings_of(number)});
    wire.run(1s);
    for (unsigned number : {1u, 2u, 3u})
        BOOST_TEST((wire.status(number).state == NodeState::active && !wire.noted(number, "new life")));
}

BOOST_AUTO_TEST_CASE(a_node_that_is_not_listed_yet_waits_and_joins_by_the_change) {
    Wire wire(4);
    for (unsigned number : {1u, 2u, 3u})
        wire.add(number, settings_of(number));
    wire.run(1s);
    Settings newcomer = settings_of(4, 4);
    newcomer.config = 9;
    newcomer.sections = {1, 3};
    wire.add(4, newcomer);
    wire.run(3s);
    BOOST_TEST(wire.status(4).reason.starts_with("refused: configuration differs from node 1's"));
    for (unsigned number : {1u, 2u, 3u}) {
        Settings next = next_settings(number);
        next.nodes.push_back(id(4));
        wire.give(number, event::Stage{next});
    }
    wire.run(100ms);
    BOOST_TEST((wire.status(4).state == NodeState::active));
    BOOST_TEST(wire.status(1).view.members.size() == 4u);
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
    BOOST_TEST(wire.status(3).reason == "refused: configuration differs from node 1's in rule http; it joins when that "
                                        "cluster has it in force (nlbctl reload all)");
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

BOOST_AUTO_TEST_SUITE_END()
