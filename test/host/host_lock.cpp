// SPDX-License-Identifier: Apache-2.0
#include "agent/host/lock.hpp"
#include "test/host/node.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using agent::HostLock;

namespace {

// A process that has taken both locks and holds them until it is killed.
class Holder {
  public:
    explicit Holder(const std::string &run_dir) {
        int ready[2];
        BOOST_REQUIRE(pipe(ready) == 0);
        pid_ = fork();
        if (pid_ == 0) {
            const auto interface = HostLock::on_interface("eth0");
            const auto directory = HostLock::on_directory(run_dir);
            if (write(ready[1], "x", 1) == 1) pause();
            _exit(1);
        }
        close(ready[1]);
        char byte = 0;
        BOOST_TEST(read(ready[0], &byte, 1) == 1);
        close(ready[0]);
    }
    ~Holder() { die(); }
    Holder(const Holder &) = delete;
    Holder &operator=(const Holder &) = delete;
    void die() {
        if (pid_ <= 0) return;
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
        pid_ = 0;
    }
    std::string pid() const { return std::to_string(pid_); }

  private:
    pid_t pid_ = 0;
};

void check_held(const std::function<void()> &lock, const std::string &message) {
    BOOST_CHECK_EXCEPTION(lock(), std::runtime_error, [&](const auto &error) {
        const std::string what = error.what();
        BOOST_TEST(what.substr(0, message.size()) == message);
        BOOST_TEST(what.find('\n') == std::string::npos);
        return true;
    });
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(host_lock, Node)

BOOST_AUTO_TEST_CASE(second_agent_is_refused_naming_the_first_until_that_one_dies) {
    const auto run_dir = file("");
    Holder first(run_dir);
    const auto interface = [] { HostLock::on_interface("eth0"); };
    const auto directory = [&] { HostLock::on_directory(run_dir); };
    check_held(interface,
               "interface eth0: is already served by another nlbd (pid " + first.pid() + ": ");
    check_held(directory, "run directory " + run_dir + ": is already used by another nlbd (pid " +
                              first.pid() + ": ");
    first.die();
    BOOST_CHECK_NO_THROW(interface());
    BOOST_CHECK_NO_THROW(directory());
}

BOOST_AUTO_TEST_CASE(lock_on_a_file_that_its_last_holder_has_removed_is_none) {
    std::atomic<int> holders = 0, most = 0;
    const auto contend = [&] {
        for (int time = 0; time < 3000; ++time)
            try {
                const auto lock = HostLock::on_directory(file(""));
                most = std::max<int>(most, ++holders);
                std::this_thread::yield();
                --holders;
                unlink(file("lock").c_str());
            } catch (const std::runtime_error &) { // another one has it
            }
    };
    { const std::jthread one(contend), two(contend), three(contend), four(contend); }
    BOOST_TEST(most == 1);
}

BOOST_AUTO_TEST_CASE(other_interfaces_and_other_namespaces_are_free) {
    const Holder first(file(""));
    BOOST_CHECK_NO_THROW(HostLock::on_interface("eth1"));
    in_client([] { BOOST_CHECK_NO_THROW(HostLock::on_interface("eth0")); });
}

BOOST_AUTO_TEST_CASE(run_directory_that_is_not_there_is_named) {
    check_held([&] { HostLock::on_directory(file("none")); },
               "open " + file("none") + "/lock: No such file or directory");
}

BOOST_AUTO_TEST_SUITE_END()
