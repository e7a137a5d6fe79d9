// SPDX-License-Identifier: Apache-2.0
// Views into tables: what is let go, what is gained, and which groups linger.
#include "test/unit/node/fakes.hpp"

#include "agent/node/lingering.hpp"
#include "agent/node/serving.hpp"

#include <boost/test/unit_test.hpp>

#include <bit>

namespace {

using namespace agent_test;
using namespace std::chrono_literals;
using heartbeat::NodeId;
namespace action = heartbeat::action;

struct Fixture {
    agent::Serving serving{
        NodeId{1}, {NodeId{1}, NodeId{2}, NodeId{3}}, {shared_rule(), single_rule()}, 0b01};
    const heartbeat::View alone = view_of(1, {1}), both = view_of(2, {1, 2});

    unsigned served(std::size_t table = 0) const { return serving.buckets()[table]; }
};

unsigned groups(const filter::GroupSet &set) {
    unsigned count = 0;
    for (std::uint64_t word : set)
        count += static_cast<unsigned>(std::popcount(word));
    return count;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(agent_serving, Fixture)

BOOST_AUTO_TEST_CASE(before_any_view_nothing_is_served_and_there_are_tables_for_all_rules) {
    BOOST_TEST(serving.tables().size() == 3u);
    BOOST_TEST(served() == 0u);
    BOOST_TEST(!serving.tables()[0].has_owner);
    BOOST_TEST(!serving.default_host());
    BOOST_TEST(serving.digest() == 0u);
}

BOOST_AUTO_TEST_CASE(with_flooding_the_default_host_answers_for_all_and_nobody_receives) {
    BOOST_TEST(serving.answered() == 0u);
    serving.apply(action::Serve{both});
    BOOST_TEST(serving.answered() == ~0u);
    BOOST_TEST((serving.receiver(0) == heartbeat::kNoNode));
}

BOOST_AUTO_TEST_CASE(a_receiver_answers_from_serve_on_and_stops_at_release) {
    const heartbeat::Received second{.key = 1, .pinned = {NodeId{2}}}, first{.key = 2, .pinned = {NodeId{1}}};
    agent::Serving one{NodeId{1}, {NodeId{1}, NodeId{2}}, {shared_rule()}, 0, {second, first}};
    one.apply(action::Release{both});
    BOOST_TEST(one.answered() == 0u); // the former one still does
    one.apply(action::Serve{both});
    BOOST_TEST(one.answered() == 0b10u);
    BOOST_TEST((one.receiver(0) == NodeId{2}));
    one.apply(action::Release{alone});
    BOOST_TEST(one.answered() == 0b10u);
    one.apply(action::Serve{alone});
    BOOST_TEST(one.answered() == 0b11u);
    one.apply(action::Release{both});
    BOOST_TEST(one.answered() == 0b10u);
    one.apply(action::Silence{});
    BOOST_TEST(one.answered() == 0u);
}

BOOST_AUTO_TEST_CASE(numbers_are_the_owners_and_of_what_is_refused_the_default_host) {
    heartbeat::View view = both;
    for (heartbeat::Member &member : view.members)
        member.eligible = 0b10; // none for the first rule, whose clients are told so
    serving.apply(action::Serve{view});
    const filter::Numbers numbers = serving.numbers();
    BOOST_TEST(numbers.size() == 3u);
    for (unsigned bucket : {0u, 100u, 65535u}) {
        BOOST_TEST(numbers[0][bucket] == 1);
        BOOST_TEST(numbers[1][bucket] == heartbeat::index(serving.owner(1, bucket)));
        BOOST_TEST(numbers[2][bucket] == 1);
    }
}

BOOST_AUTO_TEST_CASE(serving_a_view_of_itself_alone_takes_every_bucket) {
    const auto change = serving.apply(action::Serve{alone});
    BOOST_TEST(change.tables);
    BOOST_TEST(groups(change.lost) == 0u);
    BOOST_TEST(served(0) == filter::kBuckets);
    BOOST_TEST(served(1) == filter::kBuckets);
    BOOST_TEST(serving.default_host());
    BOOST_TEST(serving.share(NodeId{1}) == 1.0);
    BOOST_TEST(serving.digest() != 0u);
}

BOOST_AUTO_TEST_CASE(a_release_gains_nothing) {
    const auto change = serving.apply(action::Release{alone});
    BOOST_TEST(served() == 0u);
    BOOST_TEST(change.tables); // they have an owner now
    BOOST_TEST(serving.tables()[0].has_owner);
}

BOOST_AUTO_TEST_CASE(a_release_lets_go_of_what_the_other_owns_and_reports_the_groups) {
    serving.apply(action::Serve{alone});
    const auto change = serving.apply(action::Release{both});
    BOOST_TEST(change.tables);
    BOOST_TEST(served() > filter::kBuckets * 0.45);
    BOOST_TEST(served() < filter::kBuckets * 0.55);
    BOOST_TEST(groups(change.lost) ==
               filter::kGroups);               // half of the buckets, spread over every group
    BOOST_TEST(served(1) == filter::kBuckets); // the lowest id keeps the single rule
    for (unsigned bucket = 0; bucket < filter::kBuckets; ++bucket)
        BOOST_REQUIRE((serving.owner(0, bucket) == NodeId{1}) ==
                      (serving.tables()[0].mine[bucket / 64] >> bucket % 64 & 1));
}

BOOST_AUTO_TEST_CASE(
    a_view_that_overtakes_an_unfinished_one_serves_only_what_was_kept_through_both) {
    serving.apply(action::Serve{both});
    const unsigned half = served();
    serving.apply(action::Release{view_of(3, {1, 2, 3})});
    const unsigned third = served();
    BOOST_TEST(third < half);
    serving.apply(action::Release{view_of(4, {1, 2})}); // owned again, but let go of in between
    BOOST_TEST(served() == third);
    serving.apply(action::Serve{view_of(4, {1, 2})});
    BOOST_TEST(served() == half);
}

BOOST_AUTO_TEST_CASE(silence_serves_nothing_and_lets_everything_linger) {
    serving.apply(action::Serve{alone});
    const auto change = serving.apply(action::Silence{});
    BOOST_TEST(change.tables);
    BOOST_TEST(groups(change.lost) == filter::kGroups);
    BOOST_TEST(served() == 0u);
    BOOST_TEST(serving.tables()[0].has_owner); // others may well serve
    BOOST_TEST(!serving.default_host());
}

BOOST_AUTO_TEST_CASE(the_same_again_changes_nothing) {
    serving.apply(action::Serve{both});
    const auto change = serving.apply(action::Serve{both});
    BOOST_TEST(!change.tables);
    BOOST_TEST(groups(change.lost) == 0u);
}

BOOST_AUTO_TEST_CASE(under_other_rules_a_table_goes_on_as_what_it_was_and_a_new_one_serves_nothing_yet) {
    serving.apply(action::Serve{both});
    const filter::Tables before = serving.tables();
    serving.configure({single_rule(), shared_rule()}, 0, {std::nullopt, 0, std::nullopt});
    BOOST_REQUIRE(serving.tables().size() == 3u);
    BOOST_TEST(served(0) == 0u);
    BOOST_TEST((serving.tables()[1].mine == before[0].mine));
    BOOST_TEST(served(2) == 0u);
    const auto released = serving.apply(action::Release{both});
    BOOST_TEST(groups(released.lost) == 0u);
    BOOST_TEST((serving.tables()[1].mine == before[0].mine));
    BOOST_TEST(served(0) == 0u);
    serving.apply(action::Serve{both});
    BOOST_TEST(served(0) == filter::kBuckets);
    BOOST_TEST(served(2) == filter::kBuckets);
}

BOOST_AUTO_TEST_CASE(looking_at_a_view_changes_no_table) {
    serving.apply(action::Serve{alone});
    const auto digest = serving.digest();
    serving.consider(view_of(5, {2, 3}));
    BOOST_TEST(serving.share(NodeId{1}) == 0.0);
    BOOST_TEST(served() == filter::kBuckets);
    BOOST_TEST(serving.digest() == digest);
}

BOOST_AUTO_TEST_CASE(a_view_without_members_leaves_no_owner) {
    serving.apply(action::Serve{alone});
    serving.apply(action::Serve{view_of(9, {})});
    BOOST_TEST(!serving.tables()[0].has_owner);
    BOOST_TEST((serving.owner(0, 1) == heartbeat::kNoNode));
}

BOOST_AUTO_TEST_CASE(the_default_host_refuses_what_nobody_serves) {
    const auto refuses = [&](heartbeat::View view, std::size_t rule) {
        serving.apply(action::Serve{view});
        return serving.tables()[rule].refuses;
    };
    heartbeat::View works_nowhere = both;
    for (heartbeat::Member &member : works_nowhere.members)
        member.eligible = 0;
    BOOST_TEST(!refuses(both, 0));
    BOOST_TEST(refuses(works_nowhere, 0));
    BOOST_TEST(!refuses(works_nowhere, 1)); // clients of this rule are not told
    works_nowhere.members[0].weight = 0;    // node 2 is the default host
    BOOST_TEST(!refuses(works_nowhere, 0));
    works_nowhere.members[0].weight = 100;
    serving.apply(action::Serve{works_nowhere});
    BOOST_TEST(serving.apply(action::Serve{both}).tables);
    BOOST_TEST(!serving.tables()[0].refuses);
    serving.apply(action::Serve{works_nowhere});
    BOOST_TEST(serving.apply(action::Silence{}).tables);
    BOOST_TEST(!serving.tables()[0].refuses);
}

BOOST_AUTO_TEST_CASE(shares_are_over_the_shared_rules_alone) {
    serving.apply(action::Serve{both});
    BOOST_TEST(serving.share(NodeId{1}) + serving.share(NodeId{2}) == 1.0);
    BOOST_TEST(serving.share(NodeId{1}) < 0.55);
    BOOST_TEST(serving.share(NodeId{3}) == 0.0);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(agent_lingering)

BOOST_AUTO_TEST_CASE(a_group_lingers_for_five_seconds_after_its_last_loss) {
    agent::Lingering lingering;
    filter::GroupSet some{};
    some[1] = 0b101;
    lingering.add(some, 100s);
    BOOST_TEST((lingering.groups() == some));
    some[1] = 0b001;
    lingering.add(some, 103s);
    BOOST_TEST(!lingering.expire(104s));
    BOOST_TEST(lingering.expire(105s)); // the one that lost nothing more
    BOOST_TEST(lingering.groups()[1] == 0b001u);
    BOOST_TEST(!lingering.expire(107s));
    BOOST_TEST(lingering.expire(108s));
    BOOST_TEST((lingering.groups() == filter::GroupSet{}));
}

BOOST_AUTO_TEST_SUITE_END()
