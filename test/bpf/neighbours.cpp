// SPDX-License-Identifier: Apache-2.0
// What neighbours ask and say about the virtual IPs: the agent hears it from the filter, whatever the datapath.
#include "host.hpp"
#include "packets.hpp"

#include <boost/test/unit_test.hpp>

using namespace packets;

namespace {

using Frames = std::vector<Frame>;

const Bytes kFour{192, 0, 2, 100}, kOtherFour{192, 0, 2, 9}, kStranger{198, 51, 100, 9};
const Bytes kSix = Bytes{0xfd, 0} + zeros(12) + Bytes{1, 0}, kOtherSix = Bytes{0xfd, 0} + zeros(12) + Bytes{1, 9};

Bytes arp(std::uint8_t operation, const Bytes &sender, const Bytes &target, std::vector<std::uint16_t> tags = {}) {
    const Bytes mac{2, 0, 0, 0, 0, 9};
    return ethernet(Bytes{0, 1, 8, 0, 6, 4, 0, operation} + mac + sender + mac + target,
                    {.tags = std::move(tags), .type = 0x0806});
}

Bytes discovery(std::uint8_t type, const Bytes &target, std::size_t options = 8, std::vector<std::uint16_t> tags = {}) {
    return ethernet(ipv6({.destination = "ff02::1"}, icmpv6(type, zeros(4) + target + zeros(options))), {.tags = std::move(tags)});
}

// In the order in which they come; the first `most` bytes of each.
Frames heard(filter::Datapath &datapath, std::size_t count) {
    Frames all;
    wait_for([&] {
        for (auto &frame : datapath.take_neighbours(100))
            all.push_back(std::move(frame));
        return all.size() >= count;
    });
    return all;
}

void check_heard(filter::Datapath &datapath) {
    Wire far;
    BOOST_TEST(datapath.neighbours_descriptor() >= 0);
    const Frames told{arp(1, kStranger, kFour),
                      arp(1, kFour, kFour),
                      arp(2, kFour, kStranger),
                      arp(1, kStranger, kFour, {0x8100}),
                      discovery(135, kSix),
                      discovery(136, kSix),
                      discovery(135, kSix, 8, {0x8100})};
    const Frames untold{arp(1, kStranger, kOtherFour), arp(2, kStranger, kFour), discovery(135, kOtherSix),
                        discovery(136, kOtherSix), discovery(133, kSix)};
    for (const auto &frame : untold)
        far.send(frame);
    far.send(arp(1, kStranger, kFour) + zeros(18)); // as short frames are filled up
    for (const auto &frame : told)
        far.send(frame);
    Frames expected{told.front()};
    expected.insert(expected.end(), told.begin(), told.end());
    const Frames all = heard(datapath, expected.size());
    BOOST_TEST(all.size() == expected.size());
    for (std::size_t i = 0; i < std::min(all.size(), expected.size()); ++i)
        BOOST_TEST(all[i] == expected[i], boost::test_tools::per_element());
}

} // namespace

BOOST_AUTO_TEST_SUITE(neighbours)

BOOST_AUTO_TEST_CASE(the_agent_hears_them_from_the_filter) {
    for (const auto &attach_it : {+[] { return attach_xdp(filter::XdpMode::native); },
                                  +[] { return attach_xdp(filter::XdpMode::generic); }, +[] { return attach_tc(); }}) {
        auto datapath = attach_it();
        BOOST_TEST_CONTEXT(datapath->kind() << ", " << filter::to_string(datapath->mode())) { check_heard(*datapath); }
    }
}

BOOST_AUTO_TEST_CASE(a_long_message_is_cut_off_and_a_flood_fills_the_ring_alone) {
    auto datapath = attach_tc();
    Wire far;
    far.send(discovery(135, kSix, 800));
    BOOST_TEST(heard(*datapath, 1).front().size() <= filter::kMostRefused);
    for (int i = 0; i < 2000; ++i)
        far.send(arp(1, kStranger, kFour));
    const Frames all = heard(*datapath, 100);
    BOOST_TEST(all.size() < 2000u);
    while (!datapath->take_neighbours(100).empty()) {
    }
    far.send(discovery(136, kSix));
    BOOST_TEST(heard(*datapath, 1).back() == discovery(136, kSix), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(pcap_leaves_it_to_a_packet_socket) {
    BOOST_TEST(attach_pcap()->neighbours_descriptor() == -1);
}

BOOST_AUTO_TEST_SUITE_END()
