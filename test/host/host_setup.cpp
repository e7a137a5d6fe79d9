// SPDX-License-Identifier: Apache-2.0
#include "agent/host/interface.hpp"
#include "agent/host/setup.hpp"
#include "test/host/node.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using agent::HostSetup;

namespace {

bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

int arp_ignore(const std::string &device) {
    return agent::HostState::read_sysctl(device, "arp_ignore");
}

bool hears_the_cluster() {
    return has(run("ip maddress show dev eth0"), kClusterMacText + " static");
}

bool drops_duplicates(const std::string &family, const std::string &device) {
    return agent::HostState::read_sysctl(device, family + "drop_unicast_in_l2_multicast") == 1;
}

// Sets up in another process and kills that one.
void set_up_and_die(const agent::HostSettings &wish, const std::string &record_file) {
    int ready[2];
    BOOST_REQUIRE(pipe(ready) == 0);
    const pid_t child = fork();
    if (child == 0) {
        try {
            const HostSetup setup(wish, record_file);
            if (write(ready[1], "x", 1) == 1) pause();
        } catch (const std::exception &) {
        }
        _exit(1);
    }
    close(ready[1]);
    char byte = 0;
    BOOST_TEST(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

void check_refused(const Node &node, const agent::HostSettings &wish, const std::string &message) {
    const auto before = node.state();
    BOOST_CHECK_EXCEPTION(HostSetup(wish, node.file("host")), std::runtime_error,
                          [&](const auto &error) {
                              BOOST_TEST(error.what() == message);
                              return true;
                          });
    BOOST_TEST(node.state() == before);
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(host_setup, Node)

BOOST_AUTO_TEST_CASE(setup_changes_the_host_and_restore_takes_all_of_it_back) {
    const auto before = state();
    HostSetup setup(wish(), file("host"));
    const auto lo = run("ip -o address show dev lo");
    BOOST_TEST(has(lo, "192.0.2.100/32 scope host lo"), lo);
    BOOST_TEST(has(lo, "fd00::64/128 scope global nodad deprecated"), lo);
    BOOST_TEST(arp_ignore("all") == 1);
    BOOST_TEST(agent::HostState::read_sysctl("all", "arp_announce") == 2);
    BOOST_TEST(drops_duplicates("", "all"));
    for (const char *device : {"eth0", "default"})
        BOOST_TEST(drops_duplicates("ipv6/", device), device);
    BOOST_TEST(hears_the_cluster());
    setup.restore();
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(each_mac_mode_makes_the_interface_hear_and_the_end_of_the_object_restores) {
    const auto before = state();
    const std::vector<std::string> traces{"03bfc0000264", "239.255.2.100/32 scope host autojoin",
                                          "02:bf:c0:00:02:64 dev eth0 self permanent"};
    for (std::size_t mode = 0; mode < traces.size(); ++mode) {
        {
            const HostSetup setup(wishes()[mode], file("host"));
            for (std::size_t other = 0; other < traces.size(); ++other)
                BOOST_TEST(has(state(), traces[other]) == (other == mode), state());
        }
        BOOST_TEST(state() == before);
    }
}

BOOST_AUTO_TEST_CASE(successor_in_another_mac_mode_leaves_nothing_of_the_killed_ones) {
    const auto before = state();
    for (const int mode : {0, 1, 2, 1, 0, 2, 0}) {
        set_up_and_die(wishes()[static_cast<std::size_t>(mode)], file("host"));
        const auto left = state();
        BOOST_TEST(has(left, "03bfc0000264") == (mode == 0));
        BOOST_TEST(has(left, "239.255.2.100/32") == (mode == 1));
        BOOST_TEST(has(left, "02:bf:c0:00:02:64 dev eth0 self") == (mode == 2));
    }
    { const HostSetup setup(wish(), file("host")); }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(cluster_mac_that_was_there_before_stays_in_each_mode) {
    run("ip maddress add 03:bf:c0:00:02:64 dev eth0; bridge fdb add 02:bf:c0:00:02:64 dev eth0 "
        "self;"
        "ip address add 239.255.2.100/32 dev eth0 autojoin");
    const auto before = state();
    for (const auto &each : wishes()) {
        { const HostSetup setup(each, file("host")); }
        BOOST_TEST(state() == before);
    }
}

BOOST_AUTO_TEST_CASE(virtual_ips_that_go_leave_before_others_come_and_nothing_is_left_of_either) {
    const auto before = state();
    const auto addresses = [] { return run("ip -o address show dev lo"); };
    const auto other = *filter::parse_ip("192.0.2.101");
    {
        HostSetup setup(wish(), file("host"));
        agent::HostSettings next = wish();
        next.virtual_ips = {other, next.virtual_ips[0]};
        setup.withdraw(next.virtual_ips);
        BOOST_TEST(!has(addresses(), "fd00::64"), addresses());
        BOOST_TEST(!has(addresses(), "192.0.2.101"), addresses());
        BOOST_TEST(setup.heal().empty());
        BOOST_TEST(!has(addresses(), "fd00::64"), addresses());
        setup.configure(next);
        for (const char *address : {"192.0.2.100/32", "192.0.2.101/32"})
            BOOST_TEST(has(addresses(), address), addresses());
        BOOST_TEST(!drops_duplicates("ipv6/", "eth0"));
        BOOST_TEST(setup.heal().empty());
    }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(a_virtual_ip_that_was_there_before_stays_when_it_goes) {
    run("ip address add 192.0.2.100/32 dev lo");
    const auto before = state();
    {
        HostSetup setup(wish(), file("host"));
        setup.withdraw({});
        BOOST_TEST(has(run("ip -o address show dev lo"), "192.0.2.100/32"));
    }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(what_was_there_before_stays) {
    run("ip address add 192.0.2.100/32 dev lo; ip maddress add " + kClusterMacText +
        " dev eth0;"
        "echo 2 > /proc/sys/net/ipv4/conf/all/arp_ignore; echo 1 > "
        "/proc/sys/net/ipv6/conf/eth0/drop_unicast_in_l2_multicast");
    const auto before = state();
    {
        const HostSetup setup(wish(), file("host"));
        BOOST_TEST(arp_ignore("all") == 2);
        BOOST_TEST(state() != before);
    }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(group_that_a_process_has_joined_is_made_to_outlive_it) {
    packet_mreq request{};
    request.mr_ifindex = filter::require_interface("eth0").index;
    request.mr_type = PACKET_MR_MULTICAST;
    request.mr_alen = 6;
    std::copy(kClusterMac.begin(), kClusterMac.end(), request.mr_address);
    const int other = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    BOOST_TEST(setsockopt(other, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) == 0);
    const HostSetup setup(wish(), file("host"));
    close(other);
    BOOST_TEST(hears_the_cluster());
}

BOOST_AUTO_TEST_CASE(successor_of_a_killed_agent_restores_the_original_state) {
    run("echo 1 > /proc/sys/net/ipv4/conf/all/arp_announce");
    const auto before = state();
    set_up_and_die(wish(), file("host"));
    const auto left = state();
    BOOST_TEST(left != before);
    set_up_and_die(wish(), file("host"));
    BOOST_TEST(state() == left);
    { const HostSetup setup(wish(), file("host")); }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(agent_killed_before_its_first_change_leaves_a_record_that_does_no_harm) {
    const auto before = state();
    { const HostSetup setup(wish(), file("host")); }
    set_up_and_die(wish(), file("host"));
    const auto record = agent::load_record(file("host"));
    BOOST_TEST(record.changes.size() == 8U);
    { const HostSetup setup(wish(), file("host")); }
    agent::save_record(record, file("host"));
    { const HostSetup setup(wish(), file("host")); }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(successor_with_another_configuration_undoes_what_it_does_not_wish) {
    run("ip link add eth1 type veth peer name eth1peer");
    const auto before = state();
    set_up_and_die(wish(), file("host"));
    auto other = wish();
    other.interface = "eth1";
    other.virtual_ips = {*filter::parse_ip("192.0.2.101"), *filter::parse_ip("fd00::64")};
    (*other.cluster_mac)[5] = 0x65;
    {
        const HostSetup setup(other, file("host"));
        BOOST_TEST(!has(state(), "192.0.2.100"));
        BOOST_TEST(has(state(), "192.0.2.101"));
        BOOST_TEST(!has(run("ip maddress show dev eth0"), "static"));
    }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(keep_leaves_everything_for_a_successor) {
    const auto before = state();
    std::string during;
    {
        HostSetup setup(wish(), file("host"));
        during = state();
        setup.keep();
    }
    BOOST_TEST(state() == during);
    { const HostSetup setup(wish(), file("host")); }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(heal_puts_back_what_is_missing_and_says_so) {
    const auto before = state();
    HostSetup setup(wish(), file("host"));
    BOOST_TEST(setup.heal().empty());
    run("ip address delete 192.0.2.100/32 dev lo; ip maddress delete " + kClusterMacText +
        " dev eth0;"
        "echo 0 > /proc/sys/net/ipv4/conf/all/arp_ignore");
    const std::vector<std::string> expected{"arp_ignore on all", kClusterMacText + " on eth0",
                                            "192.0.2.100 on lo"};
    BOOST_TEST(setup.heal() == expected, boost::test_tools::per_element());
    BOOST_TEST(setup.heal().empty());
    setup.restore();
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_healed_does_not_keep_the_rest_from_it) {
    auto ipv6_first = wish();
    std::swap(ipv6_first.virtual_ips[0], ipv6_first.virtual_ips[1]);
    HostSetup setup(ipv6_first, file("host"));
    run("ip address delete 192.0.2.100/32 dev lo;"
        "echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6;"
        "ip maddress delete " +
        kClusterMacText + " dev eth0");
    BOOST_CHECK_EXCEPTION(setup.heal(), std::runtime_error, [](const auto &error) {
        return has(error.what(), "add fd00::64 to lo: ");
    });
    BOOST_TEST(has(state(), "192.0.2.100/32"));
    run("echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6");
    BOOST_TEST(setup.heal().size() == 1U);
}

BOOST_AUTO_TEST_CASE(address_that_was_not_ours_and_had_to_be_healed_is_ours) {
    const auto before = state();
    run("ip address add 192.0.2.100/32 dev lo");
    HostSetup setup(wish(), file("host"));
    run("ip address delete 192.0.2.100/32 dev lo");
    BOOST_TEST(setup.heal().size() == 1U);
    setup.restore();
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(interface_made_anew_is_set_up_again) {
    HostSetup setup(wish(), file("host"));
    run("ip link delete eth0");
    BOOST_TEST(setup.heal().empty());
    run("ip link add eth0 type veth peer name other0");
    BOOST_TEST(setup.heal().size() == 1U);
    BOOST_TEST(hears_the_cluster());
    setup.restore();
    BOOST_TEST(!hears_the_cluster());
    BOOST_TEST(!has(state(), "192.0.2.100"));
}

BOOST_AUTO_TEST_CASE(record_forgets_interfaces_that_are_gone) {
    HostSetup setup(wish(), file("host"));
    const std::size_t at_first = agent::load_record(file("host")).changes.size();
    for (int time = 0; time < 3; ++time) {
        run("ip link delete eth0; ip link add eth0 type veth peer name other0");
        BOOST_TEST(setup.heal().size() == 1U);
        BOOST_TEST(agent::load_record(file("host")).changes.size() <= at_first);
    }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_recorded_is_not_changed_however_often_it_is_tried) {
    HostSetup setup(wish(), file("host"));
    run("ip link delete eth0; ip link add eth0 type veth peer name other0");
    std::filesystem::create_directory(file("host.new")); // in the way of the next record
    for (int time = 0; time < 2; ++time) {
        BOOST_CHECK_THROW(setup.heal(), std::runtime_error);
        BOOST_TEST(!hears_the_cluster());
    }
    std::filesystem::remove(file("host.new"));
    BOOST_TEST(setup.heal().size() == 1U);
    BOOST_TEST(hears_the_cluster());
}

BOOST_AUTO_TEST_CASE(interface_taken_down_and_up_loses_nothing) {
    for (const auto &each : wishes()) {
        HostSetup setup(each, file("host"));
        const auto before = state();
        run("ip link set eth0 down; ip link set eth0 up; ip address add fd00::11/64 dev eth0 nodad;"
            "ip address add fe80::11/64 dev eth0 nodad");
        BOOST_TEST(setup.heal().empty());
        BOOST_TEST(state() == before);
    }
}

BOOST_AUTO_TEST_CASE(cluster_mac_that_somebody_removed_is_put_back_in_each_mode) {
    for (const auto &each : wishes()) {
        HostSetup setup(each, file("host"));
        const auto before = state();
        run("ip maddress delete 03:bf:c0:00:02:64 dev eth0;"
            "bridge fdb delete 02:bf:c0:00:02:64 dev eth0 self;"
            "ip address delete 239.255.2.100/32 dev eth0");
        BOOST_TEST(state() != before);
        BOOST_TEST(setup.heal().size() == 1U);
        BOOST_TEST(state() == before);
    }
}

BOOST_AUTO_TEST_CASE(sysctl_that_an_administrator_set_meanwhile_is_left) {
    HostSetup setup(wish(), file("host"));
    run("echo 8 > /proc/sys/net/ipv4/conf/all/arp_ignore");
    BOOST_TEST(setup.heal().empty());
    setup.restore();
    BOOST_TEST(arp_ignore("all") == 8);
    BOOST_TEST(agent::HostState::read_sysctl("all", "arp_announce") == 0);
}

BOOST_AUTO_TEST_CASE(every_interface_is_silenced_those_that_come_later_as_well) {
    run("ip link add eth1 type veth peer name eth1peer");
    const auto before = state();
    {
        const HostSetup setup(wish(), file("host"));
        BOOST_TEST(drops_duplicates("ipv6/", "eth1"));
        run("ip link add eth2 type veth peer name eth2peer");
        BOOST_TEST(drops_duplicates("ipv6/", "eth2"));
        run("ip link delete eth2");
    }
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(port_of_a_bridge_is_refused) {
    run("ip link add br0 type bridge; ip link set eth0 master br0");
    check_refused(*this, wish(),
                  "interface eth0: is a port of br0, which takes its frames; name br0 instead");
    run("ip link delete br0");
    { const HostSetup setup(wish(), file("host")); }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_refused_and_nothing_left_behind) {
    auto other = wish();
    other.interface = "eth9";
    check_refused(*this, other, "interface eth9: does not exist; existing: eth0");
    other.interface = "lo";
    check_refused(*this, other, "interface lo: is not an Ethernet interface");
    other = wish();
    other.cluster_mac = filter::MacAddress{0x0a, 0, 0, 0, 0, 0x99};
    check_refused(*this, other,
                  "interface eth0: its own MAC address is the cluster's, 0a:00:00:00:00:99; give "
                  "it one of its own, nlbd adds the cluster's");
    run("ip address add 192.0.2.100/24 dev eth0");
    check_refused(*this, wish(),
                  "virtual IP 192.0.2.100: is an address of eth0, too; ip address delete "
                  "192.0.2.100/24 dev eth0, and where it comes from: nlbd has it on lo");
}

BOOST_AUTO_TEST_CASE(ipv6_that_is_disabled_is_named) {
    for (const std::string device : {"eth0", "lo"}) {
        run("echo 1 > /proc/sys/net/ipv6/conf/" + device + "/disable_ipv6");
        check_refused(*this, wish(),
                      "virtual IP fd00::64: IPv6 is disabled on " + device +
                          "; sysctl net/ipv6/conf/" + device + "/disable_ipv6=0");
    }
    auto v4_alone = wish();
    v4_alone.virtual_ips.pop_back();
    BOOST_CHECK_NO_THROW(HostSetup(v4_alone, file("host")));
}

BOOST_AUTO_TEST_CASE(failure_halfway_undoes_the_first_half) {
    auto impossible = wish();
    impossible.virtual_ips.push_back(*filter::parse_ip("::"));
    const auto before = state();
    BOOST_CHECK_EXCEPTION(HostSetup(impossible, file("host")), std::runtime_error,
                          [](const auto &error) { return has(error.what(), "add :: to lo: "); });
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_CASE(loopback_that_is_down_is_named) {
    run("ip link set lo down");
    check_refused(*this, wish(),
                  "interface lo: is down, so it cannot hold virtual IPs; ip link set lo up");
}

BOOST_AUTO_TEST_CASE(record_file_that_cannot_be_written_is_named) {
    const auto before = state();
    BOOST_CHECK_EXCEPTION(HostSetup(wish(), file("missing/host")), std::runtime_error,
                          [&](const auto &error) {
                              return has(error.what(), "write " + file("missing/host") +
                                                           ".new: No such file or directory");
                          });
    BOOST_TEST(state() == before);
}

BOOST_AUTO_TEST_SUITE_END()
