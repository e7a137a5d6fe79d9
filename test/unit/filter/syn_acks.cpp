// SPDX-License-Identifier: Apache-2.0
// Which ACK acknowledges a SYN-ACK of this host.
#include "filter/pcap/syn_acks.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <vector>

using filter::pcap::SynAcks;
using filter::TcpSegment;

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000, kNow = 1000 * kSecond;
constexpr __u64 kKey[2] = {1, 2};

struct Memory {
    std::vector<std::uint64_t> words = std::vector<std::uint64_t>(SynAcks::kWords);
    SynAcks syn_acks{std::span<std::uint64_t, SynAcks::kWords>(words.data(), SynAcks::kWords), kKey};
};

constexpr __u64 kServer = 0x6402000a, kClient = 0x0900000a;

TcpSegment sent(__be16 port, std::uint32_t sequence) {
    return {{kServer, 0}, {kClient, 0}, 80, port, __builtin_bswap32(sequence), 0, 4, 18};
}

TcpSegment received(__be16 port, std::uint32_t acknowledged) {
    return {{kClient, 0}, {kServer, 0}, port, 80, 0, __builtin_bswap32(acknowledged), 4, 16};
}

} // namespace

BOOST_AUTO_TEST_SUITE(syn_acks)

BOOST_AUTO_TEST_CASE(the_next_number_is_acknowledged_and_no_other) {
    Memory memory;
    BOOST_TEST(!memory.syn_acks.acknowledged_by(received(7, 1), kNow));
    memory.syn_acks.sent(sent(7, 0xffffffff), kNow); // the next one is 0
    BOOST_TEST(memory.syn_acks.acknowledged_by(received(7, 0), kNow));
    BOOST_TEST(!memory.syn_acks.acknowledged_by(received(7, 1), kNow));
    BOOST_TEST(!memory.syn_acks.acknowledged_by(received(7, 0xffffffff), kNow));
}

BOOST_AUTO_TEST_CASE(addresses_and_ports_must_be_the_same) {
    Memory memory;
    memory.syn_acks.sent(sent(7, 100), kNow);
    BOOST_TEST(!memory.syn_acks.acknowledged_by(received(8, 101), kNow));
    TcpSegment other = received(7, 101);
    other.source[1] = 1;
    BOOST_TEST(!memory.syn_acks.acknowledged_by(other, kNow));
    other = received(7, 101);
    other.destination[0]++;
    BOOST_TEST(!memory.syn_acks.acknowledged_by(other, kNow));
    other = received(7, 101);
    other.destination_port++;
    BOOST_TEST(!memory.syn_acks.acknowledged_by(other, kNow));
}

BOOST_AUTO_TEST_CASE(a_minute_later_it_is_forgotten) {
    Memory memory;
    memory.syn_acks.sent(sent(7, 100), kNow);
    BOOST_TEST(memory.syn_acks.acknowledged_by(received(7, 101), kNow + 60 * kSecond));
    BOOST_TEST(!memory.syn_acks.acknowledged_by(received(7, 101), kNow + 80 * kSecond));
    memory.syn_acks.sent(sent(7, 100), kNow + 70 * kSecond); // sent again
    BOOST_TEST(memory.syn_acks.acknowledged_by(received(7, 101), kNow + 80 * kSecond));
}

// Many more than fit: the newest are there, and memory is what it was.
BOOST_AUTO_TEST_CASE(in_a_flood_the_oldest_go_first) {
    Memory memory;
    constexpr std::uint32_t kFlood = 2 * SynAcks::kWords, kLast = SynAcks::kWords / 8;
    for (std::uint32_t i = 0; i < kFlood; i++)
        memory.syn_acks.sent(sent(static_cast<__be16>(i), i), kNow + (i / 1000) * kSecond / 16);
    const std::uint64_t then = kNow + (kFlood / 1000) * kSecond / 16;
    unsigned known = 0;
    for (std::uint32_t i = kFlood - kLast; i < kFlood; i++)
        known += memory.syn_acks.acknowledged_by(received(static_cast<__be16>(i), i + 1), then);
    BOOST_TEST(known > kLast * 99 / 100);
}

// The memory outlives who wrote it.
BOOST_AUTO_TEST_CASE(a_successor_remembers) {
    Memory memory;
    memory.syn_acks.sent(sent(7, 100), kNow);
    SynAcks successor(std::span<std::uint64_t, SynAcks::kWords>(memory.words.data(), SynAcks::kWords),
                      kKey);
    BOOST_TEST(successor.acknowledged_by(received(7, 101), kNow));
    BOOST_TEST(!SynAcks(std::span<std::uint64_t, SynAcks::kWords>(memory.words.data(),
                                                                  SynAcks::kWords),
                        std::data({__u64{3}, __u64{4}}))
                    .acknowledged_by(received(7, 101), kNow));
}

BOOST_AUTO_TEST_SUITE_END()
