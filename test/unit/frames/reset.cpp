// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/reject.hpp"
#include "test/bpf/packets.hpp"

#include <boost/test/unit_test.hpp>

using namespace packets;

namespace {

constexpr filter::MacAddress kOwn{0x0a, 0, 0, 0, 0, 0x99};

Bytes refusal(const Bytes &frame) { return agent::build_reject(frame, kOwn).value_or(Bytes{}); }

Bytes part(const Bytes &bytes, std::size_t at, std::size_t size) {
    BOOST_REQUIRE(bytes.size() >= at + size);
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    return {from, from + static_cast<std::ptrdiff_t>(size)};
}

const Bytes kMacs = {0x02, 0, 0, 0, 0, 9, 0x0a, 0, 0, 0, 0, 0x99};

// Nothing is left over when a checksum is summed up with what it is over (RFC 1071).
unsigned left_over(const Bytes &bytes, std::uint32_t sum = 0) {
    for (std::size_t i = 0; i < bytes.size(); ++i)
        sum += i % 2 == 0 ? static_cast<unsigned>(bytes[i]) << 8 : bytes[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return 0xffff - sum;
}

// Of the transport message of an untagged frame, with its pseudo header.
unsigned left_over_behind_ip(const Bytes &frame, unsigned protocol) {
    const bool v4 = frame[14] >> 4 == 4;
    const std::size_t addresses = v4 ? 14 + 12 : 14 + 8, message = v4 ? 14 + 20 : 14 + 40;
    const auto length = static_cast<std::uint32_t>(frame.size() - message);
    return left_over(part(frame, addresses, frame.size() - addresses), protocol + length);
}

} // namespace

BOOST_AUTO_TEST_SUITE(refusal_of_a_new_connection)

BOOST_AUTO_TEST_CASE(a_syn_is_reset) {
    const Bytes answer = refusal(ethernet(ipv4(
        {}, tcp({.source = 40000, .port = 80, .sequence = 0xffffffff, .payload = {1, 2, 3}}))));
    BOOST_TEST(answer.size() == 54u);
    BOOST_TEST(part(answer, 0, 12) == kMacs);
    BOOST_TEST(part(answer, 12, 12) ==
               (Bytes{8, 0, 0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6})); // don't fragment
    BOOST_TEST(part(answer, 26, 8) == (Bytes{192, 0, 2, 100, 198, 51, 100, 9}));
    BOOST_TEST(part(answer, 34, 16) ==
               big16(80) + big16(40000) + big32(0) + big32(3) + (Bytes{0x50, 0x14, 0, 0}));
    BOOST_TEST(left_over(part(answer, 14, 20)) == 0u);
    BOOST_TEST(left_over_behind_ip(answer, 6) == 0u);
}

BOOST_AUTO_TEST_CASE(so_is_one_by_ipv6_and_by_a_vlan) {
    const Bytes packet =
        ipv6({}, tcp({.source = 1, .port = 2, .flags = kSyn | kFin, .sequence = 7}));
    const Bytes answer = refusal(ethernet(packet));
    BOOST_TEST(answer.size() == 74u);
    BOOST_TEST(part(answer, 12, 10) == (Bytes{0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64}));
    BOOST_TEST(part(answer, 22, 16) == part(packet, 24, 16));
    BOOST_TEST(part(answer, 38, 16) == part(packet, 8, 16));
    BOOST_TEST(part(answer, 54, 14) ==
               big16(2) + big16(1) + big32(0) + big32(9) + (Bytes{0x50, 0x14}));
    BOOST_TEST(left_over_behind_ip(answer, 6) == 0u);
    const Bytes tagged = ethernet(packet, {.tags = {0x88a8, 0x8100}});
    const Bytes expected = part(answer, 0, 12) + part(tagged, 12, 8) + part(answer, 12, 62);
    BOOST_TEST(refusal(tagged) == expected);
}

BOOST_AUTO_TEST_CASE(a_datagram_is_unreachable_and_quoted) {
    const Bytes packet = ipv4({}, udp({}));
    const Bytes answer = refusal(ethernet(packet) + zeros(10)); // padding is not quoted
    BOOST_TEST(part(answer, 12, 12) == (Bytes{8, 0, 0x45, 0}) +
                                           big16(unsigned(28 + packet.size())) +
                                           (Bytes{0, 0, 0x40, 0, 64, 1}));
    BOOST_TEST(part(answer, 34, 2) == (Bytes{3, 3}));
    BOOST_TEST(part(answer, 42, answer.size() - 42) == packet);
    BOOST_TEST(left_over(part(answer, 34, answer.size() - 34)) == 0u);
    const Bytes six = ipv6({}, udp({.payload = Bytes(1000)})), frame = cut(ethernet(six), 252);
    const Bytes long_one = refusal(frame);
    BOOST_TEST(part(long_one, 54, 2) == (Bytes{1, 4}));
    BOOST_TEST(part(long_one, 62, long_one.size() - 62) == part(frame, 14, 252 - 14));
    BOOST_TEST(left_over_behind_ip(long_one, 58) == 0u);
}

BOOST_AUTO_TEST_CASE(what_must_not_be_answered_is_not) {
    for (const char *source : {"224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1"})
        BOOST_TEST(refusal(ethernet(ipv4({.source = source}, udp({})))).empty());
    for (const char *source : {"ff02::1", "::", "::1"})
        BOOST_TEST(refusal(ethernet(ipv6({.source = source}, tcp({})))).empty());
    for (const unsigned flags : {unsigned{kAck}, unsigned{kSyn | kAck}, unsigned{kSyn | kRst}, 0u})
        BOOST_TEST(refusal(ethernet(ipv4({}, tcp({.flags = std::uint8_t(flags)})))).empty());
    BOOST_TEST(refusal(ethernet(ipv4({}, icmp(8)))).empty());
    Bytes from_a_group = ethernet(ipv4({}, tcp({})));
    from_a_group[6] |= 1;
    BOOST_TEST(refusal(from_a_group).empty());
    const Bytes whole = ethernet(ipv6({}, tcp({})));
    for (std::size_t length = 0; length < whole.size(); ++length)
        BOOST_TEST(refusal(cut(whole, length)).empty());
}

BOOST_AUTO_TEST_SUITE_END()
