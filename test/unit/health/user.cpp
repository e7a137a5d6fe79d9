// SPDX-License-Identifier: Apache-2.0
// Users of this host, and a command that is to run as one.
#include "agent/health/exec.hpp"
#include "agent/host/user.hpp"

#include <boost/test/unit_test.hpp>

#include <cap-ng.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace {

int drop_capabilities() {
    capng_clear(CAPNG_SELECT_CAPS);
    return capng_apply(CAPNG_SELECT_CAPS);
}

// What a process says that has changed itself before.
template <class Says, class Changes> std::string as_another(Says says, Changes changes) {
    int ends[2];
    BOOST_REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        const std::string said = changes() == 0 ? says() : "cannot change";
        [[maybe_unused]] const ssize_t told = write(ends[1], said.data(), said.size());
        _exit(0);
    }
    close(ends[1]);
    std::array<char, 1024> said{};
    const ssize_t size = read(ends[0], said.data(), said.size());
    close(ends[0]);
    waitpid(child, nullptr, 0);
    return {said.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

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

// The control socket obeys the agent's user. It is root's when the agent may not change its user.
BOOST_AUTO_TEST_CASE(a_command_never_runs_as_the_agent_itself) {
    if (geteuid() != 0) return;
    const auto daemon = agent::find_account("daemon");
    BOOST_REQUIRE(daemon.has_value());
    BOOST_TEST(as_another([] { return refused("nobody"); }, [&] { return drop_capabilities(); }) ==
               "user \"nobody\": the agent may not change to it; give it CAP_SETUID and CAP_SETGID");
    BOOST_TEST(as_another([] { return refused("daemon"); },
                          [&] { return setresuid(daemon->user, daemon->user, daemon->user); }) ==
               "user \"daemon\": is the agent's own; name another");
}

BOOST_AUTO_TEST_SUITE_END()
