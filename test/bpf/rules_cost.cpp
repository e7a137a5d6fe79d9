// SPDX-License-Identifier: Apache-2.0
//
// The price of a look-up does not depend on how many rules there are, nor on how far down the list
// the packet's rule stands: the same packet is judged with 1 rule and with 32, in turns, and what
// counts is the fastest turn of each, which no other process has disturbed. There are many rounds, since
// some loads of the same program are slower than others for all of their turns.
#include "host.hpp"
#include "packets.hpp"

#include "filter/xdp/xdp.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace packets;

namespace {

// Rule i covers ports 1000 i + 1 to 1000 i + 500; the packet below is the last one's, or uncovered.
filter::Settings with_rules(std::size_t count) {
    filter::Settings settings = ::settings();
    settings.rules.clear();
    for (std::size_t i = filter::kMaxRules - count; i < filter::kMaxRules; i++) {
        filter::Rule rule;
        rule.tcp = true;
        rule.first_port = static_cast<std::uint16_t>(1000 * i + 1);
        rule.last_port = static_cast<std::uint16_t>(1000 * i + 500);
        settings.rules.push_back(rule);
    }
    return settings;
}

struct Loaded {
    explicit Loaded(std::size_t rules)
        : datapath(filter::xdp::attach("near", filter::XdpMode::generic, Host::pin_dir("nlb"),
                                      with_rules(rules))) {
        datapath->install(filter::Tables(rules + 1, filter::Table{{}, true}));
    }
    std::unique_ptr<filter::Datapath> datapath;
};

unsigned fastest(std::size_t rules, const Frame &frame, unsigned so_far) {
    const Loaded loaded(rules);
    BOOST_TEST(loaded.datapath->judge(frame).reason == "foreign");
    for (int turn = 0; turn < 20; turn++)
        so_far = std::min(so_far, run_xdp(frame, 200'000).nanoseconds);
    return so_far;
}

} // namespace

BOOST_AUTO_TEST_SUITE(rules_cost)

BOOST_AUTO_TEST_CASE(a_packet_of_the_last_of_32_rules_costs_what_that_of_an_only_rule_costs) {
    for (const std::uint16_t port : {std::uint16_t{31001}, std::uint16_t{31900}}) { // of the last rule; of none
        const Frame frame = ethernet(ipv4({}, tcp({.port = port})));
        unsigned one = ~0u, all = ~0u;
        const auto same = [&] { return all < 1.25 * one + 1; }; // whole nanoseconds
        for (int round = 0; round < 3 || (round < 20 && !same()); round++) {
            one = fastest(1, frame, one);
            all = fastest(filter::kMaxRules, frame, all);
        }
        BOOST_TEST_MESSAGE("port " << port << ": " << one << " ns, with 32 rules " << all);
        BOOST_TEST(same(), one << " ns, with 32 rules " << all);
    }
}

BOOST_AUTO_TEST_SUITE_END()
