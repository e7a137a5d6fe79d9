// SPDX-License-Identifier: Apache-2.0
// How often the loop may turn.
#include "agent/base/turn_limit.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(turn_limit)

BOOST_AUTO_TEST_CASE(a_loop_turns_at_once_until_it_turns_too_often) {
    using namespace std::chrono_literals;
    agent::TurnLimit turns;
    heartbeat::Time now = 100s;
    for (int i = 0; i < agent::TurnLimit::kAtOnce; ++i)
        BOOST_TEST((turns.take(now) == 0s));
    for (int i = 0; i < 1000; ++i) // as if each frame woke it, a microsecond after the last
        now += turns.take(now += 1us);
    BOOST_TEST((now >= 101s && now < 101s + 10ms));
    now += 1s; // calm again
    for (int i = 0; i < agent::TurnLimit::kAtOnce; ++i)
        BOOST_TEST((turns.take(now) == 0s));
}

BOOST_AUTO_TEST_SUITE_END()
