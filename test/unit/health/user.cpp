// SPDX-License-Identifier: Apache-2.0
// Users of this host, and a command that is to run as one.
#include "agent/health/exec.hpp"
#include "agent/host/user.hpp"

#include <boost/test/unit_test.hpp>

namespace {

// Why a command of this user's cannot be run.
std::string refused(const std::string &user) {
    agent::HealthConfig wanted;
    wanted.command = {"/bin/true"};
    wanted.user = user;
    agent::ExecCheck check(wanted, "http");
    BOOST_TEST(check.begin());
    const auto finding = check.handle();
    return finding && !finding->works ? finding->reason : "not at once";
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_account)

BOOST_AUTO_TEST_CASE(a_user_is_found_by_name_or_there_is_none) {
    const auto root = agent::find_account("root");
    BOOST_REQUIRE(root.has_value());
    BOOST_TEST(root->user == 0u);
    BOOST_TEST(!agent::find_account("no such user").has_value());
}

BOOST_AUTO_TEST_CASE(a_command_without_a_user_says_so) {
    BOOST_TEST(refused("no such user") == "user \"no such user\": unknown");
    BOOST_TEST(refused("root") == "user \"root\": has all privileges");
}

BOOST_AUTO_TEST_SUITE_END()
