// SPDX-License-Identifier: Apache-2.0
// Frames on a real interface, through XDP and tc into the host: accepted ones arrive although they
// were addressed to the cluster's MAC, and without XDP nothing does.
#include "host.hpp"
#include "packets.hpp"
#include "server.hpp"

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <bpf/bpf.h>
#include <linux/pkt_cls.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace packets;

namespace {

filter::MacAddress near_mac() {
    unsigned mac[6];
    std::sscanf(mac_of("near").c_str(), "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3],
                &mac[4], &mac[5]);
    filter::MacAddress result;
    for (std::size_t i = 0; i < 6; i++)
        result[i] = static_cast<std::uint8_t>(mac[i]);
    return result;
}

} // namespace

BOOST_AUTO_TEST_SUITE(wire)

BOOST_AUTO_TEST_CASE(accepted_frames_reach_the_server_in_both_modes) {
    for (filter::XdpMode mode : {filter::XdpMode::native, filter::XdpMode::generic}) {
        BOOST_TEST_CONTEXT("mode " << int(mode)) {
            auto datapath = attach_xdp(mode);
            Wire far;
            Server server;
            for (bool v4 : {true, false}) {
                datapath->install(nothing_mine());
                far.send(query(v4));
                wait_for([&] { return counter(*datapath, "foreign") == (v4 ? 1u : 2u); });
                datapath->install(all_mine());
                far.send(query(v4));
                wait_for([&] { return server.received(); });
                BOOST_TEST(!server.received()); // the foreign one is not among them
            }
            BOOST_TEST(counter(*datapath, "unfiltered") == 0u);
        }
    }
}

// TCP takes only what is addressed to this host, which the tc program says for it.
BOOST_AUTO_TEST_CASE(a_syn_to_the_cluster_mac_is_answered_in_both_modes) {
    for (filter::XdpMode mode : {filter::XdpMode::native, filter::XdpMode::generic}) {
        auto datapath = attach_xdp(mode);
        Wire far;
        datapath->install(all_mine());
        for (bool v4 : {true, false}) {
            Segment syn = tcp({.source = static_cast<std::uint16_t>(30000 + int(mode))});
            far.send(ethernet(v4 ? ipv4({}, syn) : ipv6({}, syn)));
            far.receive([&](const Frame &frame) { // a reset: no socket listens
                std::size_t at = v4 ? 34 : 54;
                return frame.size() >= at + 20 && frame[v4 ? 23 : 20] == 6 &&
                       (frame[at + 13] & kRst);
            });
        }
    }
}

BOOST_AUTO_TEST_CASE(a_node_whose_xdp_program_was_detached_by_hand_is_silent) {
    auto datapath = attach_xdp(filter::XdpMode::generic);
    Wire far;
    Server server;
    datapath->install(all_mine());
    BOOST_TEST((datapath->mode() == filter::Mode::generic));
    int link = bpf_obj_get((Host::pin_dir("node") + "/link").c_str());
    BOOST_REQUIRE(bpf_link_detach(link) == 0);
    close(link);
    BOOST_TEST(datapath->flaw().value_or("") == "the XDP program is not attached to near");
    BOOST_TEST((datapath->mode() == filter::Mode::none));
    far.send(query(true));
    far.send(query(false));
    far.send(query(true, {.tags = {0x8100}}));
    filter::MacAddress broadcast;
    broadcast.fill(0xff);
    far.send(query(true, {.destination = broadcast}));
    wait_for([&] { return counter(*datapath, "unfiltered") == 4; });
    BOOST_TEST(!server.received());
}

BOOST_AUTO_TEST_CASE(the_tc_program_stops_what_xdp_has_not_readdressed) {
    auto datapath = attach_xdp(filter::XdpMode::generic);
    auto result = [](const Bytes &frame) { return static_cast<int>(run_tc(frame).result); };
    Ethernet own = {.destination = near_mac()};
    for (bool v4 : {true, false}) {
        BOOST_TEST(result(query(v4)) == TC_ACT_SHOT);
        BOOST_TEST(result(query(v4, {.tags = {0x88a8, 0x8100}})) == TC_ACT_SHOT);
        BOOST_TEST(result(query(v4, own)) == TC_ACT_UNSPEC);
        own.tags = {0x8100, 0x8100, 0x8100};
        BOOST_TEST(result(query(v4, own)) == TC_ACT_SHOT);
        own.tags = {};
    }
    BOOST_TEST(result(ethernet(ipv4({.destination = "192.0.2.9"}, udp({})))) == TC_ACT_UNSPEC);
    BOOST_TEST(result(ethernet(zeros(46), {.type = 0x0806})) == TC_ACT_UNSPEC);
    const Bytes asked4 = zeros(24) + Bytes{192, 0, 2, 100}, asked6 = zeros(4) + Bytes{0xfd, 0} + zeros(12) + Bytes{1, 0};
    BOOST_TEST(result(ethernet(asked4, {.type = 0x0806})) == TC_ACT_SHOT);
    BOOST_TEST(result(ethernet(ipv6({.destination = "ff02::1:ff00:100"}, icmpv6(135, asked6)))) == TC_ACT_SHOT);
    BOOST_TEST(result(ethernet(ipv6({}, icmpv6(135, zeros(20))))) == TC_ACT_UNSPEC);
    BOOST_TEST(result(ethernet(ipv6({}, icmpv6(128, zeros(20))))) == TC_ACT_SHOT);
    BOOST_TEST(counter(*datapath, "unfiltered") == 7u);
}

BOOST_AUTO_TEST_SUITE_END()
