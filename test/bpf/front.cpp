// SPDX-License-Identifier: Apache-2.0
// With delivery = "forward", the program of XDP that sends on in front of tc.
#include "forwarding.hpp"

#include <boost/test/unit_test.hpp>
#include <bpf/bpf.h>
#include <unistd.h>

using namespace forwarding_test;

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
