// SPDX-License-Identifier: Apache-2.0
// Answers as a witness gives them, every way to spoil one, and with which address it is asked.
#include "agent/frames/message.hpp"
#include "agent/frames/witness.hpp"
#include "test/unit/frames/neighbour_frames.hpp"

#include <boost/test/unit_test.hpp>

#include <random>

using agent::parse_answer;

namespace {

filter::IpAddress ip(const char *text) { return filter::parse_ip(text).value(); }

struct Bad {
    const char *what;
    Frame frame;
};

Frame advertisement_with(std::size_t at, std::uint8_t value) {
    return with_checksum(with(kAdvertisement, at, value));
}

// As to a probe: to all nodes, and not solicited.
Frame unsolicited() {
    Frame frame = with(kAdvertisement, 58, 0x20);
    const Frame all_nodes = bytes("ff020000000000000000000000000001");
    std::copy(all_nodes.begin(), all_nodes.end(), frame.begin() + 38);
    return with_checksum(frame);
}

} // namespace

BOOST_AUTO_TEST_SUITE(neighbour_answer)

BOOST_AUTO_TEST_CASE(both_kinds_are_read) {
    BOOST_TEST((parse_answer(kArpReply) == ip("192.0.2.1")));
    BOOST_TEST((parse_answer(kAdvertisement) == ip("fd00::1")));
    BOOST_TEST((parse_answer(unsolicited()) == ip("fd00::1")));
}

BOOST_AUTO_TEST_CASE(padding_is_ignored) {
    for (Frame frame : {kArpReply, kAdvertisement}) {
        const auto whole = parse_answer(frame);
        frame.resize(frame.size() + 18);
        BOOST_TEST((parse_answer(frame) == whole));
    }
}

BOOST_AUTO_TEST_CASE(every_truncation_is_refused) {
    for (const Frame &frame : {kArpReply, kAdvertisement, unsolicited()})
        for (std::size_t size = 0; size < frame.size(); ++size)
            BOOST_TEST(!parse_answer(std::span(frame).first(size)), "of " << size << " bytes");
}

BOOST_AUTO_TEST_CASE(what_is_no_answer_is_refused) {
    const Bad table[] = {
        {"an ARP request", kArpRequest},
        {"a solicitation", kSolicitation},
        {"of another VLAN", tagged(kArpReply, 5)},
        {"ARP hardware", with(kArpReply, 15, 2)},
        {"ARP protocol", with(kArpReply, 16, 9)},
        {"ARP address length", with(kArpReply, 18, 8)},
        {"ARP sender is a group", with(kArpReply, 22, 0x0b)},
        {"hop limit: it came through a router", advertisement_with(21, 254)},
        {"checksum", with(kAdvertisement, 57, static_cast<std::uint8_t>(kAdvertisement[57] ^ 1))},
        {"code", advertisement_with(55, 1)},
        {"next header", advertisement_with(20, 17)},
        {"version", advertisement_with(14, 0x40)},
        {"target is a group", advertisement_with(62, 0xff)},
        {"sender is a group", advertisement_with(22, 0xff)},
        {"to a group, and solicited", advertisement_with(38, 0xff)},
        {"option of length 0", advertisement_with(79, 0)},
        {"option longer than the message", advertisement_with(79, 2)},
        {"length field longer than the frame", advertisement_with(19, 33)},
        {"length field shorter than the message", advertisement_with(19, 23)},
    };
    for (const auto &[what, frame] : table)
        BOOST_TEST(!parse_answer(frame), what);
}

BOOST_AUTO_TEST_CASE(random_bytes_are_survived) {
    std::mt19937 random(1);
    const Frame seeds[] = {kArpReply, kAdvertisement};
    for (int round = 0; round < 100000; ++round) {
        Frame frame = seeds[round % 2];
        for (int changes = 0; changes < round % 5; ++changes)
            frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
        frame.resize(random() % 3 == 0 ? random() % (frame.size() + 1) : frame.size());
        parse_answer(frame);
    }
}

BOOST_AUTO_TEST_CASE(asked_with_an_address_that_the_witness_can_answer_but_no_virtual_ip) {
    const std::vector<agent::OwnAddress> own{{ip("192.0.2.100"), 24},
                                             {ip("198.51.100.7"), 24},
                                             {ip("192.0.2.11"), 24},
                                             {ip("2001:db8::11"), 64},
                                             {ip("fe80::11"), 64}};
    const std::vector<filter::IpAddress> virtual_ips{ip("192.0.2.100")};
    BOOST_TEST((agent::asker(ip("192.0.2.1"), own, virtual_ips) == ip("192.0.2.11")));
    BOOST_TEST((agent::asker(ip("198.51.100.1"), own, virtual_ips) == ip("198.51.100.7")));
    BOOST_TEST((agent::asker(ip("2001:db8::1"), own, virtual_ips) == ip("2001:db8::11")));
    BOOST_TEST((agent::asker(ip("fd00::1"), own, virtual_ips) == ip("fe80::11")));
    BOOST_TEST((agent::asker(ip("203.0.113.1"), own, virtual_ips) == ip("0.0.0.0")));
    BOOST_TEST((agent::asker(ip("fd00::1"), {}, virtual_ips) == ip("::")));
}

BOOST_AUTO_TEST_SUITE_END()
