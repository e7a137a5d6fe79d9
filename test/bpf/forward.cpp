// SPDX-License-Identifier: Apache-2.0
// delivery = "forward": what is another node's is sent on to it, once, and nothing else is. This node has
// the number 1. The suite runs with XDP in front of tc, and over tc alone (NLBD_DATAPATH=tc): both count and send
// the same.
#include "forwarding.hpp"
#include "server.hpp"

#include <boost/test/unit_test.hpp>

using namespace forwarding_test;

BOOST_AUTO_TEST_SUITE(forward, *boost::unit_test::fixture<TakesIn>())

BOOST_AUTO_TEST_CASE(another_nodes_packet_goes_to_its_mac_from_our_own_with_a_hop_less) {
    auto datapath = attach_forwarding();
    Wire far;
    for (bool v4 : {true, false})
        for (const std::vector<std::uint16_t> &tags : {std::vector<std::uint16_t>{}, {0x8100}}) {
            far.send(frame(v4, tcp({}), tags));
            const Frame came = far.receive([](const Frame &one) { return is_to(one, kTwo); });
            Frame wanted = frame(v4, tcp({})); // a packet socket shows no tag
            std::ranges::copy(kTwo, wanted.begin());
            std::ranges::copy(own_mac(), wanted.begin() + 6);
            const std::size_t ip = 14, hops = ip + (v4 ? 8 : 7);
            BOOST_TEST(came[hops] == wanted[hops] - 1);
            if (v4) BOOST_TEST(checksum_of(came, ip) == 0xffffu);
            wanted[hops]--;
            if (v4) std::copy_n(came.begin() + static_cast<std::ptrdiff_t>(ip) + 10, 2,
                                wanted.begin() + static_cast<std::ptrdiff_t>(ip) + 10);
            BOOST_TEST(came == wanted, boost::test_tools::per_element());
        }
    BOOST_TEST(counter(*datapath, "forwarded") == 4u);
    BOOST_TEST(sent_to(*datapath, 2) == 4u);
}

BOOST_AUTO_TEST_CASE(every_checksum_of_a_header_stays_right) {
    auto datapath = attach_forwarding();
    Wire far;
    for (unsigned id : {0u, 1u, 0x1234u, 0x7fffu, 0xfe3fu, 0xfeffu, 0xffffu}) {
        const Bytes sent = ethernet(ipv4({.id = id}, tcp({})), {.destination = own_mac()});
        far.send(sent);
        const Frame came = far.receive([](const Frame &one) { return is_to(one, kTwo); });
        BOOST_TEST(checksum_of(came, 14) == 0xffffu);
    }
}

BOOST_AUTO_TEST_CASE(what_a_node_has_sent_is_never_sent_on) {
    auto datapath = attach_forwarding();
    Wire far;
    for (const filter::MacAddress &source : {kTwo, kThree, own_mac()}) {
        Bytes again = frame(true, tcp({}));
        std::ranges::copy(source, again.begin() + 6);
        far.send(again);
    }
    wait_for([&] { return counter(*datapath, "foreign") == 3; });
    BOOST_TEST(counter(*datapath, "forwarded") == 0u);
}

BOOST_AUTO_TEST_CASE(what_may_go_no_further_is_dropped_so_that_no_tables_can_make_a_loop) {
    auto datapath = attach_forwarding();
    Wire far;
    for (bool v4 : {true, false})
        for (const std::uint8_t hops : {std::uint8_t{0}, std::uint8_t{1}}) {
            Bytes last = frame(v4, tcp({}));
            with_hops(last, v4, hops);
            far.send(last);
        }
    wait_for([&] { return counter(*datapath, "hop_limit") == 4; });
    BOOST_TEST(counter(*datapath, "forwarded") == 0u);
}

BOOST_AUTO_TEST_CASE(without_the_owners_mac_there_is_no_path_and_without_an_owner_none_is_wanted) {
    auto datapath = attach_forwarding();
    const Bytes syn = frame(true, tcp({}));
    datapath->set_numbers(all_of(7));
    BOOST_TEST(datapath->judge(syn).reason == "no_path");
    datapath->set_numbers(all_of(1)); // this node's own, which it does not serve at the moment
    BOOST_TEST((datapath->judge(syn).reason == "no_path" || datapath->judge(syn).reason == "foreign"));
    datapath->set_numbers(all_of(0));
    BOOST_TEST(datapath->judge(syn).reason == "foreign");
    datapath->install(nothing_mine(false));
    BOOST_TEST(datapath->judge(syn).reason == "no_owner");
    datapath->set_numbers(all_of(2)); // the default host refuses for all
    BOOST_TEST(datapath->judge(syn).reason == "forwarded");
}

BOOST_AUTO_TEST_CASE(what_comes_to_several_machines_is_sent_on_by_none_and_what_is_elsewhere_left_alone) {
    auto datapath = attach_forwarding();
    Wire far;
    const Segment syn = tcp({});
    far.send(ethernet(ipv4({}, syn)));                                                     // to a group
    far.send(ethernet(ipv4({}, syn), {.destination = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})); // to all
    wait_for([&] { return counter(*datapath, "foreign") == 2; });
    datapath->install(all_mine());
    far.send(ethernet(ipv4({}, syn), {.destination = kTwo})); // near hears it, as with tcpdump
    far.send(frame(true, syn));
    wait_for([&] { return counter(*datapath, "accepted") == 1; });
    BOOST_TEST(counter(*datapath, "forwarded") == 0u);
}

BOOST_AUTO_TEST_CASE(packets_of_open_connections_go_to_all_that_may_hold_them_and_a_syn_to_the_owner_alone) {
    auto datapath = attach_forwarding();
    Wire far;
    datapath->set_paths(paths(true));
    far.send(frame(true, tcp({.flags = kAck})));
    wait_for([&] { return sent_to(*datapath, 3) == 1; });
    BOOST_TEST(sent_to(*datapath, 2) == 1u);
    far.send(frame(true, tcp({.flags = kSyn})));
    far.send(frame(true, udp({})));
    wait_for([&] { return sent_to(*datapath, 2) == 3; });
    BOOST_TEST(sent_to(*datapath, 3) == 1u);
    // Its own, but guarded: the connection may be where the bucket was before.
    datapath->install(all_mine());
    datapath->set_guarded(all_groups());
    far.send(frame(true, tcp({.flags = kAck})));
    wait_for([&] { return sent_to(*datapath, 3) == 2; });
    BOOST_TEST(sent_to(*datapath, 2) == 3u);
}

BOOST_AUTO_TEST_CASE(a_rule_disabled_here_alone_is_still_its_owners) {
    auto datapath = attach_forwarding();
    const Bytes syn = frame(true, tcp({.port = 9999})); // rule 3 is disabled
    BOOST_TEST(datapath->judge(syn).reason == "forwarded");
    datapath->set_numbers(all_of(0));
    BOOST_TEST(datapath->judge(syn).reason == "rule_disabled");
}

BOOST_AUTO_TEST_CASE(icmp_errors_are_taken_and_go_to_every_other_node) {
    auto datapath = attach_forwarding();
    Wire far;
    const Bytes quoted = ipv4({.source = "192.0.2.100", .destination = "198.51.100.9"}, tcp({.source = 80}));
    const Bytes error = frame(true, icmp(3, zeros(4) + quoted));
    far.send(error);
    for (const filter::MacAddress &mac : {kTwo, kThree})
        far.receive([&](const Frame &one) { return is_to(one, mac); });
    BOOST_TEST(counter(*datapath, "icmp_error") == 1u);
    BOOST_TEST(sent_to(*datapath, 2) == 1u);
    BOOST_TEST(sent_to(*datapath, 3) == 1u);
}

BOOST_AUTO_TEST_CASE(later_fragments_go_where_the_first_one_went) {
    auto datapath = attach_forwarding();
    Wire far;
    const auto first = [](unsigned id) {
        return ethernet(ipv4({.fragment = 0x2000, .id = id}, udp({.length = 3000, .payload = zeros(504)})),
                        {.destination = own_mac()});
    };
    const auto later = [](unsigned id) {
        return ethernet(ipv4({.fragment = 0x2040, .id = id}, other(17, zeros(512))), {.destination = own_mac()});
    };
    far.send(first(1));
    far.send(later(1));
    wait_for([&] { return sent_to(*datapath, 2) == 2; });
    BOOST_TEST(counter(*datapath, "forwarded") == 2u);
    BOOST_TEST(sent_to(*datapath, 3) == 0u);

    datapath->install(all_mine());
    far.send(first(2));
    far.send(later(2)); // its first one was taken here: it belongs to this node
    wait_for([&] { return counter(*datapath, "later_fragment") == 1; });
    BOOST_TEST(sent_to(*datapath, 2) == 2u);

    far.send(later(3)); // the owner is not known: every node gets it, as with flooding
    wait_for([&] { return sent_to(*datapath, 3) == 1; });
    BOOST_TEST(sent_to(*datapath, 2) == 3u);
    BOOST_TEST(counter(*datapath, "later_fragment") == 2u);
}

BOOST_AUTO_TEST_CASE(a_node_without_its_program_is_silent) {
    auto datapath = attach_forwarding();
    datapath->install(all_mine());
    Wire far;
    Server server;
    const auto ask = [&](bool v4) {
        Bytes question = query(v4);
        std::ranges::copy(own_mac(), question.begin());
        far.send(question);
    };
    for (bool v4 : {true, false}) {
        ask(v4);
        wait_for([&] { return server.received(); });
    }
    BOOST_TEST(!datapath->flaw());
    shell("tc filter del dev near ingress");
    BOOST_TEST(datapath->flaw().has_value());
    for (bool v4 : {true, false})
        ask(v4);
    // What is for no virtual IP comes through, after them; so nothing else is on its way.
    far.send(ethernet(ipv4({.destination = "192.0.2.7"}, udp({})), {.destination = own_mac()}));
    wait_for([&] { return server.received(); });
    BOOST_TEST(!server.received());
    datapath->heal();
    shell("nft delete table netdev nlbd-lock-near");
    BOOST_TEST(datapath->flaw().has_value()); // the lock is gone: told, and put back
    BOOST_TEST(datapath->heal().size() == 1u);
    BOOST_TEST(!datapath->flaw());
    ask(true);
    wait_for([&] { return server.received(); });
}

BOOST_AUTO_TEST_CASE(a_successor_goes_on_with_the_paths_and_one_that_floods_removes_the_lock) {
    attach_and_die([] { return attach_forwarding(); });
    {
        auto datapath = filter::tc::attach("near", Host::pin_dir("node"), forwarding());
        BOOST_TEST(datapath->adopted());
        BOOST_TEST(datapath->judge(frame(true, tcp({}))).reason == "forwarded");
        datapath->keep();
    }
    auto flooding = attach_tc();
    BOOST_TEST(!flooding->adopted());
    flooding->install(nothing_mine());
    filter::tc::remove_lock("near", Host::pin_dir("node"));
    BOOST_TEST(std::system("nft list table netdev nlbd-lock-near 2>/dev/null") != 0);
    BOOST_TEST(flooding->judge(frame(true, tcp({}))).reason == "foreign");
}

BOOST_AUTO_TEST_SUITE_END()
