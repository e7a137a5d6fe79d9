// SPDX-License-Identifier: Apache-2.0
#include "agent/host/interface.hpp"
#include "test/host/node.hpp"

#include <boost/test/unit_test.hpp>

BOOST_FIXTURE_TEST_SUITE(host_interface, Node)

BOOST_AUTO_TEST_CASE(interface_is_described) {
    const auto found = filter::require_interface("eth0");
    BOOST_TEST(filter::to_string(found.mac) == "0a:00:00:00:00:99");
    BOOST_TEST(found.index > 1);
    BOOST_TEST(found.up);
    BOOST_TEST(eventually([] { return filter::require_interface("eth0").running; }));
    on_client("ip link set client0 down");
    BOOST_TEST(eventually([] { return !filter::require_interface("eth0").running; }));
    BOOST_TEST(filter::require_interface("eth0").up);
    run("ip link set eth0 down");
    BOOST_TEST(!filter::require_interface("eth0").up);
}

BOOST_AUTO_TEST_CASE(names_that_no_interface_can_have_are_not_found) {
    for (const auto *name : {"", "eth9", "a-name-that-is-too-long", "eth0 "})
        BOOST_TEST(!agent::find_interface(name).has_value(), name);
}

BOOST_AUTO_TEST_CASE(every_change_of_a_link_is_noticed) {
    agent::LinkWatch watch;
    BOOST_TEST(!watch.drain());
    for (const auto *command :
         {"ip link set eth0 down", "ip link set eth0 up", "ip link delete eth0",
          "ip link add eth0 type veth peer name other0"}) {
        run(command);
        BOOST_TEST(eventually([&] { return watch.drain(); }), command);
        BOOST_TEST(eventually([&] { return !watch.drain(); }), command);
    }
}

BOOST_AUTO_TEST_CASE(flood_that_loses_notices_counts_as_a_change) {
    agent::LinkWatch watch;
    run("for i in $(seq 1000); do echo link set eth0 mtu $((1400 + i % 2)); done | ip -batch -");
    BOOST_TEST(watch.drain());
    BOOST_TEST(!watch.drain());
}

BOOST_AUTO_TEST_SUITE_END()
