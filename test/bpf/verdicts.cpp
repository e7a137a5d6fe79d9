// SPDX-License-Identifier: Apache-2.0
#include "verdicts.hpp"

#include "host.hpp"
#include "reference.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>

std::unique_ptr<nlb_state> state_of(const filter::Tables &tables) {
    auto state = std::make_unique<nlb_state>();
    filter::write_config(settings(), state->config[0]);
    filter::write_owners(tables, settings().rules.size(), state->owners[0]);
    state->lease_ns = kForever;
    return state;
}

namespace {

bool is_taken(std::string_view reason) {
    for (std::uint32_t i = 0; i <= NLB_LAST_TAKEN; i++)
        if (filter::reason_name(i) == reason) return true;
    return false;
}

void check_run(filter::Datapath &datapath, const Case &one) {
    std::string reason(one.reason);
    std::uint64_t before = counter(datapath, reason);
    Run run = run_judging(datapath, one.frame);
    BOOST_TEST(counter(datapath, reason) == before + 1);
    BOOST_TEST(drops(datapath, run) == datapath.judge(one.frame).drop);
    packets::Bytes expected = one.frame;
    if (is_taken(one.reason) && !over_tc()) {
        unsigned mac[6];
        std::sscanf(mac_of("near").c_str(), "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3],
                    &mac[4], &mac[5]);
        for (std::size_t i = 0; i < 6; i++)
            expected[i] = static_cast<std::uint8_t>(mac[i]);
    }
    BOOST_TEST((run.frame == expected));
}

} // namespace

void check_cases(filter::Datapath &datapath, const filter::Tables &tables,
                 const std::vector<Case> &cases) {
    datapath.install(tables);
    auto state = state_of(tables);
    for (const Case &one : cases) {
        BOOST_TEST_CONTEXT(one.situation) {
            if (over_tc() && one.frame.size() > kMostOverTc) continue;
            filter::Verdict verdict = datapath.judge(one.frame);
            BOOST_TEST(verdict.reason == one.reason);
            BOOST_TEST(verdict.rule == one.rule);
            filter::Verdict in_user_space = reference(*state, one.frame);
            BOOST_TEST(in_user_space.reason == verdict.reason);
            BOOST_TEST(in_user_space.rule == verdict.rule);
            BOOST_TEST(in_user_space.bucket == verdict.bucket);
            if (!over_tc() || one.reason != "too_short") // the kernel runs no tc program on that
                check_run(datapath, one);
        }
    }
}
