// SPDX-License-Identifier: Apache-2.0
// The hash that makes buckets, against a second writing of it that goes byte by byte; that it is
// spread as evenly as chance would, also over sources that differ in little; and values that never
// change, because all nodes must agree.
#include "filter/bucket.hpp"

#include <array>
#include <boost/test/unit_test.hpp>
#include <sodium.h>
#include <vector>

BOOST_AUTO_TEST_SUITE(filter_bucket)

namespace {

using namespace filter;

constexpr HashKey kKey = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

// Entry n of the tables, by libsodium.
std::uint64_t entry(unsigned n) {
    std::array<std::uint8_t, 8> message{static_cast<std::uint8_t>(n),
                                        static_cast<std::uint8_t>(n >> 8)};
    std::uint64_t hash = 0;
    crypto_shorthash(reinterpret_cast<std::uint8_t *>(&hash), message.data(), message.size(),
                     kKey.data());
    return hash;
}

struct Byte {
    unsigned place;
    std::uint8_t value;
};

unsigned expected(const std::vector<Byte> &bytes) {
    std::uint32_t sum = 0;
    for (const Byte &byte : bytes)
        sum ^= static_cast<std::uint32_t>(entry(byte.place * 256 + byte.value));
    const unsigned mixed = 18 * 256;
    return (sum ^ entry(mixed + (sum >> 16 & 255)) ^ entry(mixed + 256 + (sum >> 24))) & 0xffff;
}

std::vector<Byte> bytes_of(const IpAddress &address, std::size_t count) {
    std::vector<Byte> bytes;
    for (unsigned i = 0; i < count; ++i)
        bytes.push_back({i, address.bytes[i]});
    return bytes;
}

// Chi squared of the buckets' top eight bits, which has a mean of 255 and a deviation of 22.6.
double unevenness(const std::vector<unsigned> &buckets) {
    std::array<double, 256> counts{};
    for (const unsigned bucket : buckets)
        counts[bucket >> 8] += 1;
    const double mean = static_cast<double>(buckets.size()) / 256;
    double sum = 0;
    for (const double count : counts)
        sum += (count - mean) * (count - mean) / mean;
    return sum;
}

} // namespace

BOOST_AUTO_TEST_CASE(a_bucket_is_the_hash_of_the_affinitys_fields) {
    const Buckets buckets(kKey);
    for (const char *text : {"192.0.2.7", "2001:db8:102:304:506:708:90a:b0c"}) {
        const IpAddress address = *parse_ip(text);
        const std::size_t all = address.is_v4() ? 4 : 16;
        std::vector<Byte> with_port = bytes_of(address, all);
        with_port.push_back({16, 0x12});
        with_port.push_back({17, 0x34});
        BOOST_TEST(buckets.of(Affinity::single, address, 0x1234) ==
                   expected(bytes_of(address, all)));
        BOOST_TEST(buckets.of(Affinity::none, address, 0x1234) == expected(with_port));
        BOOST_TEST(buckets.of(Affinity::network, address, 0x1234) ==
                   expected(bytes_of(address, address.is_v4() ? 3 : 8)));
    }
}

BOOST_AUTO_TEST_CASE(neighbours_and_the_ports_of_one_client_spread_evenly) {
    const Buckets buckets(kKey);
    std::vector<unsigned> addresses, ports, subnets;
    for (unsigned i = 0; i < 65536; ++i) {
        IpAddress address = *parse_ip("10.1.0.0");
        address.bytes[2] = static_cast<std::uint8_t>(i >> 8);
        address.bytes[3] = static_cast<std::uint8_t>(i);
        addresses.push_back(buckets.of(Affinity::single, address, 0));
        ports.push_back(
            buckets.of(Affinity::none, *parse_ip("10.1.2.3"), static_cast<std::uint16_t>(i)));
        IpAddress subnet = *parse_ip("2001:db8::1");
        subnet.bytes[6] = static_cast<std::uint8_t>(i >> 8);
        subnet.bytes[7] = static_cast<std::uint8_t>(i);
        subnets.push_back(buckets.of(Affinity::network, subnet, 0));
    }
    for (const auto &list : {addresses, ports, subnets}) {
        BOOST_TEST(unevenness(list) > 255 - 6 * 22.6);
        BOOST_TEST(unevenness(list) < 255 + 6 * 22.6);
    }
}

// Xored tables alone would make the fourth corner of a square of bytes follow from the other three.
BOOST_AUTO_TEST_CASE(three_corners_do_not_tell_the_fourth) {
    const Buckets buckets(kKey);
    unsigned told = 0;
    for (std::uint8_t i = 1; i != 0; ++i) {
        const auto corner = [&](std::uint8_t third, std::uint8_t fourth) {
            IpAddress address = *parse_ip("10.1.0.0");
            address.bytes[2] = third;
            address.bytes[3] = fourth;
            return buckets.of(Affinity::single, address, 0);
        };
        told += (corner(0, 0) ^ corner(0, i) ^ corner(i, 0)) == corner(i, i);
    }
    BOOST_TEST(told <= 2u); // of 255; by chance one in 65,536 each
}

BOOST_AUTO_TEST_CASE(another_key_puts_sources_elsewhere) {
    HashKey other = kKey;
    other[0] ^= 1;
    const Buckets one(kKey), two(other);
    unsigned same = 0;
    for (std::uint16_t port = 0; port < 1000; ++port)
        same += one.of(Affinity::none, *parse_ip("10.1.2.3"), port) ==
                two.of(Affinity::none, *parse_ip("10.1.2.3"), port);
    BOOST_TEST(same <= 3u);
}

BOOST_AUTO_TEST_SUITE_END()
