// SPDX-License-Identifier: Apache-2.0
// What a service manager hears, at a socket of the test's own.
#include "agent/report/service_manager.hpp"
#include "test/unit/wakes_at.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string>

namespace {

using agent::ServiceManager;
using heartbeat::NodeState;
using namespace std::chrono_literals;

class Listener {
  public:
    explicit Listener(const std::string &directory = "/tmp/")
        : path_(directory + "nlbd-notify." + std::to_string(getpid())) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path_.copy(address.sun_path, sizeof address.sun_path - 1);
        if (path_[0] == '@') address.sun_path[0] = '\0';
        unlink(path_.c_str());
        socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        const std::size_t size = offsetof(sockaddr_un, sun_path) + path_.size();
        BOOST_REQUIRE(bind(socket_, reinterpret_cast<sockaddr *>(&address),
                           static_cast<socklen_t>(size)) == 0);
        setenv("NOTIFY_SOCKET", path_.c_str(), 1);
    }
    ~Listener() {
        for (const char *name : {"NOTIFY_SOCKET", "WATCHDOG_USEC"})
            unsetenv(name);
        close(socket_);
        unlink(path_.c_str());
    }

    // The next message; empty: there is none.
    std::string heard() {
        std::array<char, 512> buffer;
        const ssize_t size = recv(socket_, buffer.data(), buffer.size(), 0);
        return size < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(size));
    }

  private:
    std::string path_;
    int socket_;
};

heartbeat::Status status(NodeState state, bool installed) {
    heartbeat::Status status;
    status.state = state;
    status.installed = installed;
    status.view.number = {3, heartbeat::NodeId{1}, 7};
    status.nodes.resize(2);
    status.nodes[0].state = state;
    return status;
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_service_manager)

BOOST_AUTO_TEST_CASE(ready_when_the_first_view_is_installed) {
    Listener listener;
    ServiceManager manager(100s);
    BOOST_TEST(manager.waits());
    manager.report(100s, status(NodeState::joining, false));
    BOOST_TEST(listener.heard() == "STATUS=joining, view 3.7, 0 of 2 nodes serve\n");
    manager.report(101s, status(NodeState::active, false));
    BOOST_TEST(listener.heard() == "STATUS=active, view 3.7, 1 of 2 nodes serve\n");
    manager.report(102s, status(NodeState::active, true));
    BOOST_TEST(listener.heard() == "READY=1\n");
    BOOST_TEST(!manager.waits());
    manager.report(103s, status(NodeState::active, true));
    BOOST_TEST(listener.heard() == ""); // nothing new
}

BOOST_AUTO_TEST_CASE(who_is_not_to_serve_is_ready_as_it_is) {
    for (const NodeState state : {NodeState::stopped, NodeState::suspended}) {
        Listener listener;
        ServiceManager manager(100s);
        manager.report(100s, status(state, false));
        BOOST_TEST(listener.heard().ends_with("READY=1\n"));
    }
}

BOOST_AUTO_TEST_CASE(a_start_ends_also_without_a_view) {
    Listener listener;
    ServiceManager manager(100s);
    heartbeat::Status refused = status(NodeState::joining, false);
    refused.reason = "refused: another\nconfiguration";
    manager.report(100s + ServiceManager::kReadyAtLatest - 1ms, refused);
    BOOST_TEST(listener.heard() ==
               "STATUS=joining (refused: another configuration), view 3.7, 0 of 2 nodes serve\n");
    manager.report(100s + ServiceManager::kReadyAtLatest, refused);
    BOOST_TEST(listener.heard() == "READY=1\n");
}

BOOST_AUTO_TEST_CASE(the_watchdog_is_fed_at_half_its_time) {
    Listener listener;
    setenv("WATCHDOG_USEC", "10000000", 1);
    ServiceManager manager(100s);
    BOOST_TEST((agent_test::wakes_at(manager) == 100s));
    manager.feed(100s);
    BOOST_TEST(listener.heard() == "WATCHDOG=1");
    BOOST_TEST((agent_test::wakes_at(manager) == 105s));
    manager.feed(104s);
    BOOST_TEST(listener.heard() == "");
    manager.feed(105s);
    BOOST_TEST(listener.heard() == "WATCHDOG=1");
}

BOOST_AUTO_TEST_CASE(a_service_manager_that_does_not_read_is_not_waited_for_and_told_later) {
    Listener listener;
    setenv("WATCHDOG_USEC", "10000000", 1);
    ServiceManager manager(100s);
    for (int i = 0; i < 1000; ++i) // far more than its socket holds
        manager.stopping(1s);
    manager.report(100s, status(NodeState::active, true));
    manager.feed(100s);
    BOOST_TEST(manager.waits());
    BOOST_TEST((agent_test::wakes_at(manager) > 100s && agent_test::wakes_at(manager) < 105s));
    while (!listener.heard().empty()) {
    }
    manager.report(101s, status(NodeState::active, true));
    BOOST_TEST(listener.heard() == "STATUS=active, view 3.7, 1 of 2 nodes serve\nREADY=1\n");
    BOOST_TEST(!manager.waits());
    manager.feed(101s);
    BOOST_TEST(listener.heard() == "WATCHDOG=1");
    BOOST_TEST((agent_test::wakes_at(manager) == 106s));
}

BOOST_AUTO_TEST_CASE(an_abstract_name_is_no_path) {
    Listener listener("@");
    ServiceManager manager(100s);
    manager.stopping(12s);
    BOOST_TEST(listener.heard() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=12000000");
}

BOOST_AUTO_TEST_CASE(a_stop_asks_for_the_time_that_it_takes) {
    Listener listener;
    ServiceManager manager(100s);
    manager.stopping(12s);
    BOOST_TEST(listener.heard() == "STOPPING=1\nEXTEND_TIMEOUT_USEC=12000000");
}

BOOST_AUTO_TEST_CASE(without_a_service_manager_nothing_is_said) {
    setenv("WATCHDOG_USEC", "10000000", 1); // inherited from another process
    ServiceManager manager(100s);
    unsetenv("WATCHDOG_USEC");
    BOOST_TEST(!manager.waits());
    BOOST_TEST((agent_test::wakes_at(manager) == heartbeat::Time::max()));
    manager.report(100s, status(NodeState::active, true));
    manager.stopping(1s);
}

BOOST_AUTO_TEST_SUITE_END()
