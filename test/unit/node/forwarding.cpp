// SPDX-License-Identifier: Apache-2.0
// To whom packets of open connections go as well.
#include "agent/node/forwarding.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace std::chrono_literals;
using heartbeat::NodeId;

constexpr filter::MacAddress kMac = {2, 0, 0, 0, 0, 2};

filter::GroupSet group(unsigned number) {
    filter::GroupSet groups{};
    groups[number / 64] = std::uint64_t{1} << number % 64;
    return groups;
}

filter::Numbers all_of(std::uint8_t node) { return {std::vector<std::uint8_t>(filter::kBuckets, node)}; }

struct Fixture {
    agent::Forwarding forwarding{NodeId{1}, {}, 0s};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(forwarding, Fixture)

BOOST_AUTO_TEST_CASE(a_mac_is_kept_and_this_nodes_own_has_no_place) {
    BOOST_TEST(!forwarding.changed_paths());
    forwarding.set_mac(NodeId{2}, kMac);
    forwarding.set_mac(NodeId{1}, kMac);
    forwarding.set_mac(NodeId{2}, {}); // it does not know its own now
    const auto paths = forwarding.changed_paths();
    BOOST_REQUIRE(paths);
    BOOST_TEST((paths->macs[2] == kMac));
    BOOST_TEST((paths->macs[1] == filter::MacAddress{}));
    BOOST_TEST(!forwarding.changed_paths());
    forwarding.set_mac(NodeId{2}, kMac);
    BOOST_TEST(!forwarding.changed_paths());
    forwarding.forget(NodeId{2}); // its host is a client like any other
    BOOST_TEST((forwarding.changed_paths()->macs[2] == filter::MacAddress{}));
}

BOOST_AUTO_TEST_CASE(who_says_that_it_holds_a_group_is_asked_for_it) {
    forwarding.set_held(NodeId{3}, group(70));
    forwarding.set_held(NodeId{1}, group(70)); // itself
    BOOST_TEST(forwarding.changed_paths()->lingering[70] == 0b100u);
    forwarding.set_held(NodeId{3}, {});
    BOOST_TEST(forwarding.changed_paths()->lingering[70] == 0u);
}

BOOST_AUTO_TEST_CASE(who_had_a_bucket_is_asked_for_five_seconds_whether_its_word_comes_or_not) {
    filter::Numbers after = all_of(2);
    after[0][128 * 5 + 3] = 4;
    forwarding.move(all_of(2), after, 10s);
    BOOST_TEST(forwarding.changed_paths()->lingering[5] == 0b10u);
    forwarding.expire(14s);
    BOOST_TEST(!forwarding.changed_paths());
    forwarding.expire(16s);
    BOOST_TEST(forwarding.changed_paths()->lingering[5] == 0u);
}

BOOST_AUTO_TEST_CASE(a_successor_goes_on_with_what_was_known) {
    filter::Paths known;
    known.macs[2] = kMac;
    known.lingering[5] = 0b100;
    agent::Forwarding successor{NodeId{1}, known, 10s};
    BOOST_TEST(!successor.changed_paths()); // the filter has them
    successor.set_held(NodeId{2}, group(6));
    const auto paths = successor.changed_paths();
    BOOST_TEST((paths->macs[2] == kMac));
    BOOST_TEST(paths->lingering[5] == 0b100u);
    BOOST_TEST(paths->lingering[6] == 0b010u);
}

BOOST_AUTO_TEST_CASE(what_nobody_had_is_nobodys) {
    forwarding.move(all_of(0), all_of(2), 10s);
    BOOST_TEST(forwarding.changed_paths()->lingering[5] == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
