// SPDX-License-Identifier: Apache-2.0
#include "agent/report/problems.hpp"

#include <boost/test/unit_test.hpp>

using agent::Json;
using agent::ProblemKind;

BOOST_AUTO_TEST_SUITE(agent_problems)

BOOST_AUTO_TEST_CASE(a_problem_is_there_from_when_it_is_set_until_it_is_over) {
    agent::Problems problems;
    BOOST_TEST(problems.list() == Json::array());
    BOOST_TEST(problems.why_not_serving().empty());
    problems.set(ProblemKind::datapath_stepped_down, "slow");
    BOOST_TEST(problems.why_not_serving().empty());
    problems.set(ProblemKind::filter_not_proven, "gone", "put it back");
    BOOST_TEST(problems.why_not_serving() == "gone; put it back");
    BOOST_TEST(problems.list().size() == 2u);
    problems.set(ProblemKind::filter_not_proven, std::nullopt);
    BOOST_TEST(problems.list().size() == 1u);
    BOOST_TEST(problems.list()[0]["name"] == "datapath_stepped_down");
}

BOOST_AUTO_TEST_CASE(every_problem_has_a_name_and_a_way_out) {
    agent::Problems problems;
    for (std::size_t i = 0; i < agent::kProblemKinds; ++i)
        problems.set(static_cast<ProblemKind>(i), "something");
    BOOST_TEST_REQUIRE(problems.list().size() == agent::kProblemKinds);
    for (const Json &problem : problems.list()) {
        BOOST_TEST(problem["name"].get<std::string>().find(' ') == std::string::npos);
        BOOST_TEST(!problem["way_out"].get<std::string>().empty());
    }
}

BOOST_AUTO_TEST_SUITE_END()
