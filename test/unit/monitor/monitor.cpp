// SPDX-License-Identifier: Apache-2.0
// What the monitor does for the agent, and what it refuses an agent that has been taken over.
#include "agent/monitor/monitor.hpp"

#include "agent/config/key.hpp"
#include "agent/host/user.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cap-ng.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

namespace {

using agent::Monitor;
using namespace std::chrono_literals;

struct Files {
    Files() {
        std::string name = "/tmp/nlbd-monitor-XXXXXX";
        directory = mkdtemp(name.data());
        std::filesystem::permissions(directory, std::filesystem::perms{0755});
        agent::write_new_key(directory + "/key");
        write({});
    }
    ~Files() { std::filesystem::remove_all(directory); }

    std::string config() const { return directory + "/cluster.toml"; }

    // A rule for each command, a line of TOML.
    agent::Config write(const std::vector<std::string> &checks) const {
        std::ofstream file(config(), std::ios::trunc);
        file << "[cluster]\nname = \"shop\"\ninterface = \"eth0\"\nkey_file = \"" << directory << "/key\"\n"
             << "[[node]]\nid = 1\nname = \"web1\"\n[[virtual_ip]]\naddress = \"192.0.2.100\"\n";
        for (std::size_t i = 0; i < checks.size(); ++i)
            file << "[[rule]]\nname = \"rule" << i << "\"\nprotocol = \"tcp\"\nports = \"" << 80 + i
                 << "\"\nhealth = { type = \"exec\", " << checks[i] << " }\n";
        file.close();
        return agent::load_config(config());
    }

    std::string directory;
};

template <class Condition> bool comes_true(Condition condition) {
    for (int i = 0; i < 3000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

std::string result_of(Monitor &monitor, Monitor::Run run) {
    std::optional<agent::Ended> ended;
    if (!comes_true([&] { return (ended = monitor.ended(run)).has_value(); })) return "no end";
    return ended->succeeded ? "succeeded" : ended->reason;
}

std::string text_of(const filter::Descriptor &file) {
    std::array<char, 4096> text;
    const ssize_t size = read(file.get(), text.data(), text.size());
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

const std::string kTrue = "command = [\"/bin/true\"]";

// Why a command of this user's is not run, with that one as the agent's.
std::string refused(const std::string &user, uid_t agents_user = 12345) {
    const Files files;
    Monitor monitor(files.write({kTrue + ", user = \"" + user + "\""}), agents_user);
    return result_of(monitor, monitor.run("rule0", {"/bin/true"}, user));
}

bool is_root() { return geteuid() == 0; }

} // namespace

BOOST_AUTO_TEST_SUITE(agent_monitor)

BOOST_AUTO_TEST_CASE(a_user_is_found_by_name_or_there_is_none) {
    const auto root = agent::find_account("root");
    BOOST_REQUIRE(root.has_value());
    BOOST_TEST(root->user == 0u);
    BOOST_TEST(!agent::find_account("no such user").has_value());
}

BOOST_AUTO_TEST_CASE(it_opens_the_configuration_and_its_key_and_no_other_file) {
    const Files files;
    Monitor monitor(files.write({}), 12345);
    BOOST_TEST(text_of(monitor.open(files.config())).starts_with("[cluster]"));
    BOOST_TEST(text_of(monitor.open(files.directory + "/key")).size() == 65u);
    std::ofstream(files.directory + "/other") << "secret";
    for (const std::string &name : {files.directory + "/other", std::string("/etc/shadow"), std::string("relative"),
                                    files.directory + "/./key", files.directory + "/missing"}) {
        BOOST_TEST(!monitor.open(name));
        BOOST_TEST(errno == EACCES);
    }
    unlink(files.config().c_str());
    BOOST_TEST(!monitor.open(files.config()));
    BOOST_TEST(errno == ENOENT);
    BOOST_TEST(!monitor.open(files.directory + "/key")); // nothing names it any more
}

// A file that another user can change names no key and no command.
BOOST_AUTO_TEST_CASE(it_believes_only_a_file_of_roots) {
    if (!is_root()) return;
    const Files files;
    Monitor monitor(files.write({}), 12345);
    files.write({kTrue});
    BOOST_REQUIRE(chown(files.config().c_str(), 12345, 12345) == 0);
    BOOST_TEST(!monitor.open(files.directory + "/key"));
    BOOST_TEST(result_of(monitor, monitor.run("rule0", {"/bin/true"}, "nobody")).find("belongs to user 12345") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(it_runs_the_commands_of_the_file_and_no_other) {
    if (!is_root()) return;
    const Files files;
    Monitor monitor(files.write({kTrue}), 12345);
    BOOST_TEST(result_of(monitor, monitor.run("rule0", {"/bin/true"}, "nobody")) == "succeeded");
    const std::string unknown = files.config() + " no longer holds this command; try: nlbctl reload";
    BOOST_TEST(result_of(monitor, monitor.run("rule0", {"/bin/true", "x"}, "nobody")) == unknown);
    BOOST_TEST(result_of(monitor, monitor.run("rule0", {"/bin/true"}, "daemon")) == unknown);
    BOOST_TEST(result_of(monitor, monitor.run("rule1", {"/bin/true"}, "nobody")) == unknown);
    BOOST_TEST(result_of(monitor, monitor.run("rule0", {}, "nobody")) == unknown);
    files.write({"command = [\"/bin/sh\", \"-c\", \"echo no; echo yes; exit 3\"]"}); // as a reload finds it
    BOOST_TEST(result_of(monitor, monitor.run("rule0", {"/bin/sh", "-c", "echo no; echo yes; exit 3"}, "nobody")) ==
               "/bin/sh: exit code 3: yes");
    BOOST_TEST(result_of(monitor, monitor.run("rule0", {"/bin/true"}, "nobody")) == "succeeded"); // may be in force still
}

BOOST_AUTO_TEST_CASE(a_command_that_cannot_run_says_why) {
    BOOST_TEST(refused("nosuchuser") == "user \"nosuchuser\": unknown");
    const auto daemon = agent::find_account("daemon");
    BOOST_REQUIRE(daemon.has_value());
    BOOST_TEST(refused("daemon", daemon->user) == "user \"daemon\": is the agent's own; name another");
}

// Root without the capability to change its user would run it as root.
BOOST_AUTO_TEST_CASE(a_command_never_runs_as_root) {
    if (!is_root()) return;
    int ends[2];
    BOOST_REQUIRE(pipe(ends) == 0);
    const pid_t child = fork();
    if (child == 0) {
        capng_clear(CAPNG_SELECT_CAPS);
        const std::string said = capng_apply(CAPNG_SELECT_CAPS) == 0 ? refused("nobody") : "cannot change";
        [[maybe_unused]] const ssize_t told = write(ends[1], said.data(), said.size());
        _exit(0);
    }
    close(ends[1]);
    const filter::Descriptor said(ends[0]);
    BOOST_TEST(text_of(said) == "user \"nobody\": nlbd may not change to it; give it CAP_SETUID and CAP_SETGID");
    waitpid(child, nullptr, 0);
}

BOOST_AUTO_TEST_CASE(a_command_that_hangs_is_killed_and_holds_up_no_other) {
    if (!is_root()) return;
    const Files files;
    Monitor monitor(files.write({"command = [\"/bin/sleep\", \"1000\"]", kTrue}), 12345);
    const Monitor::Run hangs = monitor.run("rule0", {"/bin/sleep", "1000"}, "nobody");
    BOOST_TEST(result_of(monitor, monitor.run("rule1", {"/bin/true"}, "nobody")) == "succeeded");
    BOOST_TEST(!monitor.ended(hangs).has_value());
    monitor.kill(hangs);
    BOOST_TEST(result_of(monitor, hangs) == "/bin/sleep: ended by signal 9");
}

// What runs, and the monitor itself, end with the agent.
BOOST_AUTO_TEST_CASE(nothing_is_left_of_it) {
    if (!is_root()) return;
    const Files files;
    const std::string left = files.directory + "/left";
    std::ofstream(left).close();
    BOOST_REQUIRE(chmod(left.c_str(), 0666) == 0);
    auto monitor = std::make_unique<Monitor>(
        files.write({"command = [\"/bin/sh\", \"-c\", \"echo $$ >" + left + "; sleep 1000\"]"}), 12345);
    monitor->run("rule0", {"/bin/sh", "-c", "echo $$ >" + left + "; sleep 1000"}, "nobody");
    pid_t command = 0;
    BOOST_REQUIRE(comes_true([&] { return static_cast<bool>(std::ifstream(left) >> command); }));
    monitor.reset();
    BOOST_TEST(comes_true([&] { return kill(command, 0) != 0; }));
    BOOST_TEST(waitpid(-1, nullptr, WNOHANG) < 0); // no child is left
}

// The monitor ignores text that is not an order.
BOOST_AUTO_TEST_CASE(words_that_are_no_order_change_nothing) {
    for (const char *text : {"", "{", "[]", "{}", "null", "{\"run\":1}", "{\"run\":true,\"number\":-1}",
                             "{\"run\":true,\"number\":1,\"rule\":[],\"user\":0,\"command\":\"x\"}"})
        BOOST_TEST(!agent::parse_order(text).has_value());
    BOOST_TEST(!agent::parse_ended("{\"number\":\"x\"}").has_value());
    const agent::Order order{agent::Order::Kind::run, 7, "a\nrule", "nobody", {"/bin/x", "", "\u00e4"}};
    const auto read = agent::parse_order(agent::to_text(order));
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(read->command == order.command, boost::test_tools::per_element());
    BOOST_TEST(read->rule == order.rule);
}

BOOST_AUTO_TEST_SUITE_END()
