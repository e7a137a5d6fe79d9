// SPDX-License-Identifier: Apache-2.0
// Unfinished checksums are found and declared; finished ones, and packets that are not TCP or UDP in
// one piece, stay as they are.
#include "filter/pcap/offload.hpp"

#include "test/bpf/packets.hpp"

#include <boost/test/unit_test.hpp>
#include <cstring>

using namespace packets;
using filter::pcap::Offload;

namespace {

// Where the transport header stands, and its checksum in it.
struct Place {
    std::size_t start, checksum;
};

std::uint16_t pseudo_sum(const Bytes &addresses, unsigned protocol, std::size_t length) {
    std::uint32_t sum = protocol + static_cast<std::uint32_t>(length);
    for (std::size_t i = 0; i < addresses.size(); i += 2)
        sum += static_cast<std::uint32_t>(addresses[i] << 8 | addresses[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

Bytes unfinished(Bytes frame, bool v4, std::size_t ip, Place place, unsigned protocol) {
    const auto from = frame.begin() + static_cast<std::ptrdiff_t>(ip + (v4 ? 12 : 8));
    const std::uint16_t sum =
        pseudo_sum({from, from + (v4 ? 8 : 32)}, protocol, frame.size() - place.start);
    frame[place.start + place.checksum] = static_cast<std::uint8_t>(sum >> 8);
    frame[place.start + place.checksum + 1] = static_cast<std::uint8_t>(sum);
    return frame;
}

Bytes tcp_frame(bool v4, std::size_t payload, std::vector<std::uint16_t> tags = {}) {
    const Segment segment = tcp({.flags = kAck, .payload = zeros(payload)});
    return ethernet(v4 ? ipv4({}, segment) : ipv6({}, segment), {.tags = std::move(tags)});
}

bool is_empty(const Offload &offload) {
    const Offload none{};
    return std::memcmp(&offload, &none, sizeof none) == 0;
}

} // namespace

BOOST_AUTO_TEST_SUITE(offload)

BOOST_AUTO_TEST_CASE(a_finished_checksum_is_left_to_the_stack) {
    for (bool v4 : {true, false}) {
        BOOST_TEST(is_empty(filter::pcap::offload_of(tcp_frame(v4, 100), 1500)));
        BOOST_TEST(is_empty(filter::pcap::offload_of(tcp_frame(v4, 9000), 1500)));
        const Segment datagram = udp({});
        BOOST_TEST(is_empty(filter::pcap::offload_of(
            ethernet(v4 ? ipv4({}, datagram) : ipv6({}, datagram)), 1500)));
    }
}

BOOST_AUTO_TEST_CASE(an_unfinished_one_is_declared_where_it_stands) {
    for (bool v4 : {true, false})
        for (std::size_t tags : {0, 1, 2}) {
            const std::size_t ip = 14 + 4 * tags, start = ip + (v4 ? 20 : 40);
            const Bytes frame = unfinished(
                tcp_frame(v4, 101, std::vector<std::uint16_t>(tags, 0x8100)), v4, ip, {start, 16}, 6);
            const Offload found = filter::pcap::offload_of(frame, 1500);
            BOOST_TEST(found.flags == Offload::kNeedsChecksum);
            BOOST_TEST(found.checksum_start == start);
            BOOST_TEST(found.checksum_offset == 16);
            BOOST_TEST(found.segments == 0);
        }
}

BOOST_AUTO_TEST_CASE(datagrams_too) {
    const Bytes frame = unfinished(ethernet(ipv4({}, udp({}))), true, 14, {34, 6}, 17);
    BOOST_TEST(filter::pcap::offload_of(frame, 1500).flags == Offload::kNeedsChecksum);
    BOOST_TEST(filter::pcap::offload_of(frame, 1500).checksum_offset == 6);
}

BOOST_AUTO_TEST_CASE(behind_extension_headers_and_options) {
    const Segment inner = tcp({.flags = kAck});
    const Bytes six =
        unfinished(ethernet(ipv6({}, extension(60, extension(0, inner, 2)))), false, 14, {78, 16}, 6);
    BOOST_TEST(filter::pcap::offload_of(six, 1500).checksum_start == 78);
    const Bytes four = unfinished(ethernet(ipv4({.options = zeros(8)}, inner)), true, 14, {42, 16}, 6);
    BOOST_TEST(filter::pcap::offload_of(four, 1500).checksum_start == 42);
}

BOOST_AUTO_TEST_CASE(segments_that_were_joined_are_declared_to_be_several) {
    for (bool v4 : {true, false}) {
        const std::size_t start = v4 ? 34 : 54;
        const Bytes frame = unfinished(tcp_frame(v4, 5000), v4, 14, {start, 16}, 6);
        const Offload found = filter::pcap::offload_of(frame, 1500);
        BOOST_TEST(found.segments == (v4 ? Offload::kTcp4 : Offload::kTcp6));
        BOOST_TEST(found.segment_size == 1500 - (v4 ? 40 : 60));
        BOOST_TEST(found.header_length == start + 20);
        BOOST_TEST(filter::pcap::offload_of(frame, 9000).segments == 0);
    }
}

BOOST_AUTO_TEST_CASE(fragments_and_what_is_cut_off_are_left_alone) {
    const Bytes whole = unfinished(tcp_frame(true, 100), true, 14, {34, 16}, 6);
    for (std::size_t length = 0; length < whole.size(); length++)
        BOOST_TEST(is_empty(filter::pcap::offload_of(cut(whole, length), 1500)));
    const Bytes six = unfinished(ethernet(ipv6({}, extension(60, tcp({})))), false, 14, {62, 16}, 6);
    for (std::size_t length = 0; length < six.size(); length++)
        BOOST_TEST(is_empty(filter::pcap::offload_of(cut(six, length), 1500)));
    Bytes piece = whole;
    piece[20] = 0x20; // more fragments
    BOOST_TEST(is_empty(filter::pcap::offload_of(piece, 1500)));
}

BOOST_AUTO_TEST_SUITE_END()
