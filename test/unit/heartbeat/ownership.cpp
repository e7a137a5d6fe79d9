// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/ownership.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <random>

using namespace heartbeat;

static constexpr Digest kExpectedDigest = 11237735914063331707u;

namespace {

NodeId id(unsigned number) { return NodeId{static_cast<std::uint8_t>(number)}; }

View view_of(
    const std::vector<unsigned> &weights) { // node i + 1 has weights[i]; 0 xffff: not a member
    View view;
    for (unsigned i = 0; i < weights.size(); ++i)
        if (weights[i] != 0xffff)
            view.members.push_back(
                {id(i + 1), 1, static_cast<std::uint8_t>(weights[i]), ~RuleBits{0}});
    return view;
}

std::vector<unsigned> shares(const OwnerTable &table) {
    std::vector<unsigned> counts(kMaxNodes + 1);
    for (NodeId owner : table)
        ++counts[index(owner)];
    return counts;
}

Ownership one_rule(RuleOwnership rule = {}) { return Ownership({std::move(rule)}); }

} // namespace

BOOST_AUTO_TEST_SUITE(ownership)

BOOST_AUTO_TEST_CASE(thirty_two_equal_nodes_differ_by_less_than_five_percent) {
    auto ownership = one_rule();
    const auto counts = shares(*ownership.tables(view_of(std::vector<unsigned>(32, 100))).front());
    BOOST_TEST(counts[0] == 0u);
    const auto most = *std::max_element(counts.begin(), counts.end());
    BOOST_TEST(most * 32.0 / 65536 <= 1.05);
}

BOOST_AUTO_TEST_CASE(shares_follow_weights_within_three_standard_deviations) {
    auto ownership = one_rule();
    const std::vector<unsigned> weights = {1, 10, 33, 56, 100};
    const auto counts = shares(*ownership.tables(view_of(weights)).front());
    for (unsigned i = 0; i < weights.size(); ++i) {
        const double share = weights[i] / 200.0;
        BOOST_TEST(std::abs(counts[i + 1] - 65536 * share) <=
                   3 * std::sqrt(65536 * share * (1 - share)));
    }
}

BOOST_AUTO_TEST_CASE(a_virtual_ip_alone_is_received_by_the_default_host_and_pins_come_first) {
    const View view = view_of({0, 100, 1, 100});
    BOOST_TEST((receivers(view, std::vector{Received{7, {}}}) == std::vector{id(2)}));
    BOOST_TEST((receivers(view, std::vector{Received{7, {id(9), id(1), id(4), id(3)}}}) == std::vector{id(4)}));
    BOOST_TEST((receivers(view, std::vector{Received{7, {id(9)}}}) == std::vector{id(2)}));
    BOOST_TEST((receivers(view_of({0}), std::vector{Received{7, {}}, Received{8, {}}}) == std::vector{kNoNode, kNoNode}));
}

BOOST_AUTO_TEST_CASE(many_virtual_ips_are_spread_by_weight_and_only_a_leavers_move) {
    std::vector<Received> virtual_ips;
    for (std::uint64_t i = 0; i < 3000; ++i)
        virtual_ips.push_back(Received{i << 24 | 0x020000c0, {}});
    const auto of = [&](const std::vector<unsigned> &weights) { return receivers(view_of(weights), virtual_ips); };
    const auto all = of({100, 50, 100, 50}), without = of({100, 50, 0xffff, 50});
    std::vector<unsigned> counts(5);
    for (std::size_t i = 0; i < all.size(); ++i) {
        ++counts[index(all[i])];
        BOOST_TEST((all[i] == without[i] || all[i] == id(3)));
    }
    for (unsigned node = 1; node <= 4; ++node)
        BOOST_TEST(std::abs(counts[node] - (node % 2 ? 1000.0 : 500.0)) < 100);
}

BOOST_AUTO_TEST_CASE(when_a_node_goes_only_its_buckets_move_and_to_all_survivors) {
    auto ownership = one_rule();
    auto weights = std::vector<unsigned>(8, 100);
    const auto before = ownership.tables(view_of(weights)).front();
    weights[2] = 0xffff;
    const auto after = ownership.tables(view_of(weights)).front();
    std::vector<unsigned> gained(9);
    for (unsigned bucket = 0; bucket < 65536; ++bucket) {
        if ((*before)[bucket] == id(3))
            ++gained[index((*after)[bucket])];
        else
            BOOST_REQUIRE((*before)[bucket] == (*after)[bucket]);
    }
    for (unsigned node : {1u, 2u, 4u, 5u, 6u, 7u, 8u})
        BOOST_TEST(gained[node] > 65536u / 8 / 7 / 2);
}

BOOST_AUTO_TEST_CASE(when_a_weight_grows_no_bucket_moves_between_the_others) {
    auto ownership = one_rule();
    const auto before = ownership.tables(view_of({50, 50, 50})).front();
    const auto after = ownership.tables(view_of({90, 50, 50})).front();
    for (unsigned bucket = 0; bucket < 65536; ++bucket)
        if ((*before)[bucket] != (*after)[bucket]) BOOST_REQUIRE((*after)[bucket] == id(1));
}

BOOST_AUTO_TEST_CASE(a_member_of_weight_zero_or_not_eligible_owns_nothing) {
    auto ownership = one_rule();
    View view = view_of({0, 100, 100});
    view.members[2].eligible = 0;
    const auto tables = ownership.tables(view);
    BOOST_TEST(shares(*tables[0])[2] == 65536u);
    BOOST_TEST(shares(*tables[1])[2] ==
               65536u); // uncovered traffic asks for weight alone: the lowest id
}

BOOST_AUTO_TEST_CASE(with_nobody_eligible_a_bucket_has_no_owner) {
    auto ownership = one_rule();
    for (const View &view : {View{}, view_of({0, 0})})
        for (const auto &table : ownership.tables(view))
            BOOST_TEST(shares(*table)[0] == 65536u);
}

BOOST_AUTO_TEST_CASE(uncovered_traffic_goes_to_the_lowest_id) {
    auto ownership = one_rule();
    BOOST_TEST(shares(*ownership.tables(view_of({0xffff, 5, 100})).back())[2] == 65536u);
}

BOOST_AUTO_TEST_CASE(single_mode_prefers_priority_and_falls_back_to_the_lowest_id) {
    auto ownership = one_rule({RuleMode::single, {}, {id(3), id(2)}});
    BOOST_TEST(shares(*ownership.tables(view_of({1, 1, 1})).front())[3] == 65536u);
    BOOST_TEST(shares(*ownership.tables(view_of({1, 1, 0})).front())[2] == 65536u);
    BOOST_TEST(shares(*ownership.tables(view_of({1, 0, 0})).front())[1] == 65536u);
}

BOOST_AUTO_TEST_CASE(rules_with_equal_weights_share_one_table) {
    Ownership ownership(
        {RuleOwnership{}, RuleOwnership{}, RuleOwnership{RuleMode::multiple, {{id(1), 7}}, {}}});
    const auto tables = ownership.tables(view_of({100, 100}));
    BOOST_TEST(tables[0] == tables[1]);
    BOOST_TEST(tables[0] != tables[2]);
}

// What is kept between views is not to be seen in what comes out.
BOOST_AUTO_TEST_CASE(a_table_does_not_depend_on_the_views_before) {
    std::vector<RuleOwnership> rules(3);
    rules[1].weights = {{id(2), 7}, {id(5), 100}};
    rules[2].mode = RuleMode::single;
    rules[2].priority = {id(3)};
    Ownership kept(rules, 4096);
    std::mt19937 dice(1);
    for (int step = 0; step < 300; ++step) {
        std::vector<unsigned> weights(8);
        for (unsigned &weight : weights) {
            const unsigned choice = dice() % 8;
            weight = choice == 0 ? 0xffff : choice == 1 ? 0 : choice == 2 ? 30 : 100;
        }
        const View view = view_of(weights);
        const auto one = kept.tables(view), other = Ownership(rules, 4096).tables(view);
        BOOST_REQUIRE(one.size() == other.size());
        for (std::size_t rule = 0; rule < one.size(); ++rule)
            BOOST_REQUIRE(*one[rule] == *other[rule]);
    }
}

BOOST_AUTO_TEST_CASE(the_table_is_the_same_on_every_machine) {
    auto ownership = one_rule();
    // The digest is part of the protocol: nodes of different builds compare it.
    BOOST_TEST(digest(ownership.tables(view_of({100, 100, 100}))) ==
               digest(one_rule().tables(view_of({100, 100, 100}))));
    BOOST_TEST(digest(ownership.tables(view_of({100, 100, 100}))) == kExpectedDigest);
}

BOOST_AUTO_TEST_SUITE_END()
