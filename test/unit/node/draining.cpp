// SPDX-License-Identifier: Apache-2.0
// When a drain is over.
#include "agent/node/draining.hpp"
#include "test/unit/wakes_at.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using agent::Census;
using agent::Draining;
using namespace std::chrono_literals;

std::optional<Census> census(heartbeat::Time begun, std::uint64_t connections) {
    return Census{begun, {0, connections}, {}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_draining)

BOOST_AUTO_TEST_CASE(it_is_over_when_a_count_begun_after_the_last_handshake_finds_none) {
    Draining draining;
    BOOST_TEST(!draining.over(100s, true, census(100s, 0))); // no drain was asked for
    draining.begin(Draining::Then::stop, {});
    BOOST_TEST(!draining.over(100s, false, census(200s, 0))); // it still serves
    BOOST_TEST(!draining.over(101s, true, std::nullopt));
    BOOST_TEST(!draining.over(102s, true, census(101s, 0)));
    BOOST_TEST(!draining.over(103s, true, census(102s, 3)));
    BOOST_TEST(draining.under_way());
    BOOST_TEST(draining.over(104s, true, census(101s + Draining::kHandshake, 0)));
    BOOST_TEST(!draining.under_way());
    BOOST_TEST(!draining.over(105s, true, census(104s, 0))); // once
}

BOOST_AUTO_TEST_CASE(who_serves_again_begins_anew) {
    Draining draining;
    draining.begin(Draining::Then::stop, {});
    BOOST_TEST(!draining.over(100s, true, std::nullopt));
    BOOST_TEST(!draining.over(101s, false, std::nullopt));
    BOOST_TEST(!draining.over(102s, true, census(101s, 0)));
    BOOST_TEST(draining.over(103s, true, census(103s, 0)));
}

BOOST_AUTO_TEST_CASE(when_the_time_is_up_it_is_over_anyway) {
    Draining draining;
    draining.begin(Draining::Then::leave, 110s);
    BOOST_TEST((agent_test::wakes_at(draining) == heartbeat::Time{110s}));
    BOOST_TEST(!draining.over(109s, true, census(108s, 3)));
    BOOST_TEST(draining.over(110s, true, census(109s, 3)));
    BOOST_TEST((draining.then() == Draining::Then::leave));
    BOOST_TEST((agent_test::wakes_at(draining) == heartbeat::kNever));
}

BOOST_AUTO_TEST_CASE(it_is_not_over_before_routers_have_heard) {
    Draining draining;
    draining.begin(Draining::Then::leave, 110s, 101s);
    BOOST_TEST((agent_test::wakes_at(draining) == heartbeat::Time{101s}));
    BOOST_TEST(!draining.over(99s, true, census(90s, 0)));
    BOOST_TEST(!draining.over(100s, true, census(100s, 0)));
    draining.begin(Draining::Then::stop, {}); // does not hurry it
    BOOST_TEST(!draining.over(100s, true, census(100s, 0)));
    BOOST_TEST(draining.over(101s, true, census(100s, 0)));
}

BOOST_AUTO_TEST_CASE(asked_again_it_goes_on_but_for_what_is_named) {
    Draining draining;
    draining.begin(Draining::Then::stop, 110s);
    draining.begin(Draining::Then::stop, {});
    BOOST_TEST((agent_test::wakes_at(draining) == heartbeat::Time{110s}));
    draining.begin(Draining::Then::leave, 105s);
    BOOST_TEST((agent_test::wakes_at(draining) == heartbeat::Time{105s}));
    draining.begin(Draining::Then::stop, {});
    BOOST_TEST((draining.then() == Draining::Then::leave));
    draining.cancel();
    BOOST_TEST(!draining.over(200s, true, census(199s, 0)));
}

BOOST_AUTO_TEST_SUITE_END()
