// SPDX-License-Identifier: Apache-2.0
// What the log holds back, and what it says of that.
#include "agent/base/rate_limit.hpp"
#include "agent/report/reasons.hpp"

#include <boost/test/unit_test.hpp>

using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(logging)

BOOST_AUTO_TEST_CASE(of_one_event_five_lines_are_printed_and_the_next_window_counts_the_rest) {
    agent::RateLimit rate_limit;
    unsigned printed = 0;
    for (int i = 0; i < 8; ++i)
        printed += rate_limit.pass("link: down (try=" + std::to_string(i) + ")", 1s).has_value();
    BOOST_TEST(printed == agent::RateLimit::kAtMost);
    BOOST_TEST(rate_limit.pass("link: up", 1s).value() == "link: up");
    BOOST_TEST(rate_limit.pass("link: down (try=9)", 11s).value() ==
               "link: down (try=9) (and 3 more like it)");
}

BOOST_AUTO_TEST_CASE(what_was_held_back_is_told_when_nothing_like_it_follows) {
    agent::RateLimit rate_limit;
    for (int i = 0; i < 7; ++i)
        rate_limit.pass("link: down (try=1)", 1s);
    BOOST_TEST(rate_limit.over(10s) == Lines{}, boost::test_tools::per_element());
    BOOST_TEST(rate_limit.over(11s) == Lines{"link: down (and 2 more like it)"},
               boost::test_tools::per_element());
    BOOST_TEST(rate_limit.over(12s) == Lines{}, boost::test_tools::per_element());
    BOOST_TEST(rate_limit.pass("link: down (try=2)", 13s).value() == "link: down (try=2)");
}

BOOST_AUTO_TEST_CASE(a_reason_that_rises_is_told_at_once_and_then_every_ten_seconds) {
    agent::ReasonsLog log;
    const auto rose = [&log](heartbeat::Time now, std::uint64_t count) {
        return log.rose(
            now, {{"packets: dropped", "no_owner", count}, {"beats: refused", "bad_tag", 0}});
    };
    BOOST_TEST(rose(1s, 0) == Lines{}, boost::test_tools::per_element());
    BOOST_TEST(rose(2s, 3) == Lines{"packets: dropped (reason=no_owner count=3)"},
               boost::test_tools::per_element());
    BOOST_TEST(rose(3s, 5) == Lines{}, boost::test_tools::per_element());
    BOOST_TEST(rose(12s, 9) == Lines{"packets: dropped (reason=no_owner count=6)"},
               boost::test_tools::per_element());
    BOOST_TEST(rose(30s, 9) == Lines{}, boost::test_tools::per_element());
    BOOST_TEST(rose(31s, 2) == Lines{"packets: dropped (reason=no_owner count=2)"}, // a new filter
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(of_many_reasons_that_rise_none_hides_another) {
    agent::ReasonsLog log;
    agent::RateLimit rate_limit;
    for (unsigned second = 1; second <= 21; ++second) {
        std::vector<agent::Counted> counted;
        for (const char *reason : {"a", "b", "c", "d", "e", "f", "g", "h"})
            counted.push_back({"beats: refused", reason, second});
        unsigned printed = 0;
        for (const std::string &line : log.rose(std::chrono::seconds(second), counted))
            printed += rate_limit.pass(line, std::chrono::seconds(second)).has_value();
        BOOST_TEST(printed == (second % 10 == 1 ? 8u : 0u));
    }
    BOOST_TEST(rate_limit.over(60s) == Lines{}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
