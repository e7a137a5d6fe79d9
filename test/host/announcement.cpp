// SPDX-License-Identifier: Apache-2.0
// The carrier of the device by which routers hear of a node.
#include "agent/host/announcement.hpp"

#include "agent/base/clock.hpp"
#include "agent/host/interface.hpp"
#include "test/host/node.hpp"

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using agent::Announcement;
using agent::boot_now;
using agent::kAnnounceDevice;
using namespace std::chrono_literals;

bool running() {
    const auto device = agent::find_interface(kAnnounceDevice);
    return device && device->running;
}

bool is_there() { return agent::find_interface(kAnnounceDevice).has_value(); }

std::string addresses() { return run(std::string("ip -o address show dev ") + kAnnounceDevice); }

// Another process announces, and is killed.
void announce_and_die() {
    int ready[2];
    BOOST_REQUIRE(pipe(ready) == 0);
    const pid_t child = fork();
    if (child == 0) {
        Announcement announcement;
        announcement.set_until(boot_now() + 1h);
        if (write(ready[1], "x", 1) == 1) pause();
        _exit(1);
    }
    close(ready[1]);
    char byte = 0;
    BOOST_TEST(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    BOOST_TEST(eventually(running));
    run(std::string("ip address add 192.0.2.100/32 dev ") + kAnnounceDevice);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(announcement, Node)

BOOST_AUTO_TEST_CASE(it_lasts_until_the_time_that_was_told_and_no_longer) {
    const auto before = state();
    {
        Announcement announcement;
        BOOST_TEST(is_there());
        BOOST_TEST(!running());
        const auto until = boot_now() + 500ms;
        announcement.set_until(until);
        BOOST_TEST(eventually(running));
        BOOST_TEST(eventually([] { return !running(); }));
        BOOST_TEST((boot_now() >= until));
        announcement.set_until(boot_now() + 1h);
        BOOST_TEST(eventually(running));
        announcement.look(boot_now());
        BOOST_TEST(announcement.announced());
        announcement.set_until({});
        BOOST_TEST(eventually([] { return !running(); }));
        announcement.look(boot_now());
        BOOST_TEST(!announcement.announced());
        BOOST_TEST(announcement.heal() == "");
    }
    BOOST_TEST(!is_there());
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(it_ends_with_the_process_and_the_next_one_has_its_addresses) {
    announce_and_die();
    BOOST_TEST(eventually([] { return !running(); }));
    BOOST_TEST(addresses().find("192.0.2.100/32") != std::string::npos, addresses());
    {
        Announcement next;
        BOOST_TEST(!running());
        BOOST_TEST(addresses().find("192.0.2.100/32") != std::string::npos, addresses());
        next.set_until(boot_now() + 1h);
        BOOST_TEST(eventually(running));
    }
    BOOST_TEST(!is_there());
    announce_and_die();
    BOOST_TEST(eventually([] { return !running(); }));
    Announcement::remove_left_over();
    BOOST_TEST(!is_there());
    Announcement::remove_left_over();
}

BOOST_AUTO_TEST_CASE(what_was_taken_away_is_made_again_and_named) {
    Announcement announcement;
    run(std::string("ip link set down dev ") + kAnnounceDevice);
    BOOST_TEST(announcement.heal() == "up: nlbd-announce");
    run(std::string("ip link delete ") + kAnnounceDevice);
    BOOST_TEST(announcement.heal() == "device nlbd-announce");
    announcement.set_until(boot_now() + 1h);
    BOOST_TEST(eventually(running));
    BOOST_TEST(announcement.heal() == "");
}

BOOST_AUTO_TEST_CASE(it_has_the_virtual_ips_and_lo_has_none) {
    const auto before = state();
    auto wished = wish();
    wished.home = kAnnounceDevice;
    const auto refused = [&](const std::string &message) {
        BOOST_CHECK_EXCEPTION(agent::HostSetup(wished, file("host")), std::runtime_error, [&](const auto &error) {
            BOOST_TEST(std::string(error.what()).starts_with(message), error.what());
            return true;
        });
    };
    refused("interface nlbd-announce: is missing, so nothing holds the virtual IPs; start nlbd again");
    {
        Announcement announcement;
        run("echo 1 > /proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown");
        refused("interface nlbd-announce: net.ipv4.conf.all.ignore_routes_with_linkdown would take the virtual IPs");
        run("echo 0 > /proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown");
        run("ip address add 192.0.2.100/32 dev lo");
        refused("virtual IP 192.0.2.100: is an address of lo, too; ip address delete 192.0.2.100/32 dev lo");
        run("ip address delete 192.0.2.100/32 dev lo");
        agent::HostSetup setup(wished, file("host"));
        BOOST_TEST(addresses().find("192.0.2.100/32 scope host") != std::string::npos, addresses());
        BOOST_TEST(addresses().find("fd00::64/128 scope global nodad deprecated") != std::string::npos, addresses());
        BOOST_TEST(run("ip address show dev lo").find("192.0.2.100") == std::string::npos);
        run(std::string("ip address delete 192.0.2.100/32 dev ") + kAnnounceDevice);
        BOOST_TEST(setup.heal() == std::vector<std::string>{"192.0.2.100 on nlbd-announce"});
        setup.restore();
    }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(another_device_of_its_name_is_named) {
    run(std::string("ip link add ") + kAnnounceDevice + " type bridge");
    BOOST_CHECK_EXCEPTION(Announcement(), std::runtime_error, [](const auto &error) {
        BOOST_TEST(error.what() == std::string("make device nlbd-announce: Invalid argument; something of that name is "
                                               "there: `ip link delete nlbd-announce`"));
        return true;
    });
}

BOOST_AUTO_TEST_SUITE_END()
