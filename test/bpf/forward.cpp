// SPDX-License-Identifier: Apache-2.0
// delivery = "forward": what is another node's is sent on to it, once, and nothing else is. This node has
// the number 1. The suite runs with XDP in front of tc, and over tc alone (NLBD_DATAPATH=tc): both count and send
// the same. The suite behind it is about the program in front.
#include "host.hpp"
#include "packets.hpp"
#include "server.hpp"
#include "verdicts.hpp"

#include "filter/tc/tc.hpp"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <bpf/bpf.h>
#include <unistd.h>

using namespace packets;

namespace {

constexpr filter::MacAddress kTwo = {0x02, 0, 0, 0, 1, 2}, kThree = {0x02, 0, 0, 0, 1, 3};

filter::MacAddress own_mac() { return *filter::parse_mac(mac_of("near")); }

filter::Paths paths(bool three_holds = false) {
    filter::Paths paths;
    paths.macs[2] = kTwo;
    paths.macs[3] = kThree;
    if (three_holds) paths.lingering.fill(1u << 2);
    return paths;
}

filter::Numbers all_of(std::uint8_t node) {
    return filter::Numbers(settings().rules.size() + 1, std::vector<std::uint8_t>(filter::kBuckets, node));
}

filter::Settings forwarding() {
    filter::Settings wish = settings();
    wish.forward = true;
    return wish;
}

std::unique_ptr<filter::Datapath> attach_forwarding(filter::InFront in_front = over_tc() ? filter::InFront::nothing
                                                                                         : filter::InFront::xdp) {
    take_tags_off("near", false);
    auto datapath = filter::tc::attach("near", Host::pin_dir("node"), forwarding(), in_front);
    datapath->set_lease(kForever);
    datapath->set_paths(paths());
    datapath->set_numbers(all_of(2));
    datapath->install(nothing_mine());
    return datapath;
}

Bytes packet(bool v4, const Segment &inner) { return v4 ? ipv4({}, inner) : ipv6({}, inner); }

// As a client's frame comes: to this node's own MAC.
Bytes frame(bool v4, const Segment &inner, std::vector<std::uint16_t> tags = {}) {
    return ethernet(packet(v4, inner), {.tags = std::move(tags), .destination = own_mac()});
}

bool is_to(const Frame &frame, const filter::MacAddress &mac) {
    return std::equal(mac.begin(), mac.end(), frame.begin());
}

std::uint64_t sent_to(const filter::Datapath &datapath, std::size_t node) { return datapath.sent().at(node); }

unsigned checksum_of(const Frame &frame, std::size_t at) { // of an IPv4 header: 0xffff when it is right
    unsigned sum = 0;
    for (std::size_t i = at; i < at + 20; i += 2)
        sum += static_cast<unsigned>(frame[i] << 8 | frame[i + 1]);
    return (sum & 0xffff) + (sum >> 16);
}

void with_hops(Bytes &frame, bool v4, std::uint8_t hops) {
    const unsigned before = frame[v4 ? 22 : 21];
    frame[v4 ? 22 : 21] = hops;
    if (!v4) return;
    unsigned sum = static_cast<unsigned>(frame[24] << 8 | frame[25]) + ((before - hops) << 8);
    sum = (sum & 0xffff) + (sum >> 16);
    frame[24] = static_cast<std::uint8_t>(sum >> 8);
    frame[25] = static_cast<std::uint8_t>(sum);
}

} // namespace

// A veth hands what XDP at its other end sends to its own NAPI only where it has a program of XDP.
struct TakesIn {
    PassProgram at_far{"far"};
};

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
    far.send(later(2)); // its first one was taken here: it is no other node's
    wait_for([&] { return counter(*datapath, "later_fragment") == 1; });
    BOOST_TEST(sent_to(*datapath, 2) == 2u);

    far.send(later(3)); // whose is it? Everybody has it, as with flooding
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

namespace {

std::uint64_t counted(const filter::Datapath &datapath) {
    std::uint64_t all = 0;
    for (const filter::Counter &one : datapath.counters())
        all += one.packets;
    return all;
}

void check_left_to_tc(const filter::Datapath &datapath, const Frame &frame, const std::string &what) {
    const std::uint64_t before = counted(datapath);
    const Run run = run_xdp(frame);
    BOOST_TEST(run.result == unsigned(XDP_PASS), what);
    BOOST_TEST((run.frame == frame), what + " is changed");
    BOOST_TEST(counted(datapath) == before, what + " is counted");
}

Bytes from(Bytes frame, const filter::MacAddress &source) {
    std::ranges::copy(source, frame.begin() + 6);
    return frame;
}

// Leaves from the driver exactly when tc would send it on.
void check_same_way(filter::Datapath &datapath, const Frame &frame, const std::string &what) {
    const bool sends = datapath.judge(frame).reason == "forwarded";
    const Run run = run_xdp(frame);
    if (run.result != unsigned(sends ? XDP_TX : XDP_PASS)) BOOST_ERROR(what + ": goes another way");
    if (!sends && run.frame != frame) BOOST_ERROR(what + ": is changed");
}

// As a tool would that removes it from the link.
void detach_front() {
    const int link = bpf_obj_get((Host::pin_dir("node") + "/link").c_str());
    BOOST_REQUIRE(link >= 0);
    BOOST_TEST(bpf_link_detach(link) == 0);
    close(link);
}

void check_sent_on(const filter::Datapath &datapath) {
    Wire far;
    const std::uint64_t before = sent_to(datapath, 2);
    far.send(frame(true, tcp({})));
    far.receive([](const Frame &one) { return is_to(one, kTwo); });
    BOOST_TEST(sent_to(datapath, 2) == before + 1);
}

std::string error_in_front() {
    try {
        attach_forwarding(filter::InFront::xdp);
        return "no error";
    } catch (const std::exception &error) {
        return error.what();
    }
}

} // namespace

BOOST_AUTO_TEST_SUITE(in_front_of_tc, *boost::unit_test::fixture<TakesIn>())

BOOST_AUTO_TEST_CASE(what_is_one_other_nodes_leaves_from_the_driver_with_a_hop_less) {
    auto datapath = attach_forwarding(filter::InFront::xdp);
    BOOST_TEST((datapath->mode() == filter::Mode::native));
    BOOST_TEST(datapath->kind() == "xdp");
    for (bool v4 : {true, false})
        for (const std::vector<std::uint16_t> &tags :
             {std::vector<std::uint16_t>{}, {0x8100}, {0x88a8, 0x8100}}) {
            const Frame before = frame(v4, tcp({}), tags);
            const Run run = run_xdp(before);
            BOOST_TEST(run.result == unsigned(XDP_TX));
            const std::size_t ip = 14 + 4 * tags.size(), hops = ip + (v4 ? 8 : 7);
            Frame wanted = from(before, own_mac());
            std::ranges::copy(kTwo, wanted.begin());
            wanted[hops]--;
            if (v4) {
                BOOST_TEST(checksum_of(run.frame, ip) == 0xffffu);
                std::copy_n(run.frame.begin() + static_cast<std::ptrdiff_t>(ip) + 10, 2,
                            wanted.begin() + static_cast<std::ptrdiff_t>(ip) + 10);
            }
            BOOST_TEST(run.frame == wanted, boost::test_tools::per_element());
        }
    BOOST_TEST(counter(*datapath, "forwarded") == 6u);
    BOOST_TEST(sent_to(*datapath, 2) == 6u);
}

BOOST_AUTO_TEST_CASE(what_else_comes_is_left_to_tc_as_it_is_and_not_counted) {
    auto datapath = attach_forwarding(filter::InFront::xdp);
    const Segment syn = tcp({}), ack = tcp({.flags = kAck});
    const Bytes mine = frame(true, syn);
    Bytes last = mine;
    with_hops(last, true, 1);
    check_left_to_tc(*datapath, last, "the last hop");
    for (const filter::MacAddress &node : {kTwo, kThree, own_mac()})
        check_left_to_tc(*datapath, from(mine, node), "a node's frame");
    check_left_to_tc(*datapath, ethernet(ipv4({}, syn)), "a frame to a group");
    check_left_to_tc(*datapath, ethernet(ipv4({}, syn), {.destination = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}),
                     "a frame to all");
    check_left_to_tc(*datapath, ethernet(ipv4({}, syn), {.destination = kTwo}), "another machine's frame");
    check_left_to_tc(*datapath, ethernet(ipv4({.destination = "192.0.2.7"}, syn), {.destination = own_mac()}),
                     "a packet to no virtual IP");
    check_left_to_tc(*datapath, cut(mine, 30), "a packet that is cut off");
    datapath->show(filter::Shown::everything);
    check_left_to_tc(*datapath, mine, "a packet that is to be shown");
    datapath->show(filter::Shown::nothing);
    datapath->set_paths(paths(true));
    check_left_to_tc(*datapath, frame(true, ack), "a packet for two nodes");
    BOOST_TEST(run_xdp(mine).result == unsigned(XDP_TX)); // a SYN is the owner's alone
    datapath->set_numbers(all_of(7));
    check_left_to_tc(*datapath, mine, "a packet without a path");
    datapath->install(all_mine());
    check_left_to_tc(*datapath, mine, "a packet of this node");
}

// With each byte behind the MAC addresses bent, up to the end of any header.
BOOST_AUTO_TEST_CASE(every_kind_of_frame_whole_and_bent_goes_the_way_that_tc_would_send_it) {
    auto datapath = attach_forwarding(filter::InFront::xdp);
    for (const Case &one : well_formed_cases()) {
        Frame whole = one.frame;
        if (whole.size() > kMostOverTc) continue;
        const std::string name(one.situation);
        std::ranges::copy(own_mac(), whole.begin());
        check_same_way(*datapath, whole, name);
        for (std::size_t i = 12; i < std::min<std::size_t>(whole.size(), 100); i++) {
            Frame bent = whole;
            bent[i] ^= 0xff;
            check_same_way(*datapath, bent, name + ", byte " + std::to_string(i) + " bent");
        }
    }
    BOOST_TEST(counter(*datapath, "forwarded") > 1000u);
}

BOOST_AUTO_TEST_CASE(removed_by_hand_it_costs_no_packet_is_noticed_and_put_back) {
    auto datapath = attach_forwarding(filter::InFront::xdp);
    check_sent_on(*datapath);
    detach_front();
    BOOST_TEST(!datapath->look()().in_front);
    BOOST_TEST(!datapath->flaw()); // so the node goes on serving
    BOOST_TEST(datapath->kind() == "tc");
    check_sent_on(*datapath);
    {
        const PassProgram stranger("near");
        BOOST_TEST(datapath->heal().empty());
        BOOST_REQUIRE(datapath->slowed().has_value());
        BOOST_TEST(datapath->slowed()->find("'stranger'") != std::string::npos);
        check_sent_on(*datapath);
    }
    BOOST_TEST(datapath->heal().size() == 1u);
    BOOST_TEST(!datapath->slowed());
    BOOST_TEST(!datapath->flaw());
    BOOST_TEST(datapath->kind() == "xdp");
    check_sent_on(*datapath);
    datapath.reset();
    BOOST_TEST(attached_xdp_program() == 0u);
}

BOOST_AUTO_TEST_CASE(where_the_driver_takes_tags_off_tc_sends_on_alone) {
    auto datapath = attach_forwarding(filter::InFront::xdp);
    take_tags_off("near", true);
    BOOST_TEST(datapath->heal().empty());
    BOOST_TEST(attached_xdp_program() == 0u);
    BOOST_TEST(datapath->slowed().value_or("").find("rxvlan off") != std::string::npos);
    check_sent_on(*datapath);
    take_tags_off("near", false);
    datapath->heal();
    BOOST_TEST(attached_xdp_program() != 0u);
    datapath.reset();

    take_tags_off("near", true);
    std::vector<filter::StepDown> steps_down;
    datapath = filter::tc::attach("near", Host::pin_dir("node"), forwarding(), filter::InFront::xdp_where_possible, &steps_down);
    BOOST_TEST(datapath->kind() == "tc");
    BOOST_REQUIRE(steps_down.size() == 1u);
    BOOST_TEST(!steps_down[0].lacking);
    BOOST_TEST(!datapath->slowed());
    datapath.reset();
    BOOST_CHECK_THROW(filter::tc::attach("near", Host::pin_dir("node"), forwarding(), filter::InFront::xdp), std::runtime_error);
    take_tags_off("near", false);
}

BOOST_AUTO_TEST_CASE(a_stranger_in_the_driver_is_named_and_stays) {
    const PassProgram stranger("near");
    const unsigned before = attached_xdp_program();
    BOOST_TEST(error_in_front().find("'stranger'") != std::string::npos);
    BOOST_TEST(attached_xdp_program() == before);
}

BOOST_AUTO_TEST_CASE(successors_go_on_with_the_tables_with_and_without_it) {
    attach_and_die([] { return attach_forwarding(filter::InFront::xdp); });
    const unsigned former = attached_xdp_program();
    BOOST_TEST(former != 0u);
    for (const filter::InFront in_front : {filter::InFront::xdp, filter::InFront::nothing, filter::InFront::xdp}) {
        auto datapath = filter::tc::attach("near", Host::pin_dir("node"), forwarding(), in_front);
        BOOST_TEST(datapath->adopted());
        BOOST_TEST((attached_xdp_program() != 0) == (in_front == filter::InFront::xdp));
        BOOST_TEST(attached_xdp_program() != former);
        check_sent_on(*datapath);
        datapath->keep();
    }
    auto flooding = attach_xdp(filter::XdpMode::generic);
    flooding->install(nothing_mine());
    BOOST_TEST(run_xdp(frame(true, tcp({}))).result == unsigned(XDP_DROP));
    flooding->keep();
    flooding.reset();
    auto datapath = attach_forwarding(filter::InFront::xdp); // of the flooding one it takes the link
    check_sent_on(*datapath);
    datapath.reset();
    BOOST_TEST(attached_xdp_program() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
