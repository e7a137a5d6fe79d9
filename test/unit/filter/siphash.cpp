// SPDX-License-Identifier: Apache-2.0
// The hash against the vectors of its authors (SipHash-2-4: key 00 to 0f, message 00, 01, ... of
// every length), against libsodium's, and, for 1-3, against CPython's: PYTHONHASHSEED=0 makes its
// key zero.
#include "filter/verdict/siphash.h"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <sodium.h>
#include <vector>

BOOST_AUTO_TEST_SUITE(filter_siphash)

namespace {

std::vector<std::uint8_t> counting(std::size_t length) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i < length; i++)
        bytes.push_back(static_cast<std::uint8_t>(i));
    return bytes;
}

// As in siphash.h: whole words, and the rest with the length above it.
__u64 hash(const __u64 key[2], const std::vector<std::uint8_t> &message, int rounds,
           int final_rounds) {
    std::vector<__u64> words(message.size() / 8 + 1);
    std::copy_n(message.data(), message.size(), reinterpret_cast<std::uint8_t *>(words.data()));
    __u64 last = words.back() | static_cast<__u64>(message.size()) << 56;
    return nlb_siphash(key, words.data(), static_cast<unsigned>(words.size() - 1), last, rounds,
                       final_rounds);
}

constexpr __u64 kCountingKey[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};

} // namespace

BOOST_AUTO_TEST_CASE(two_four_gives_the_published_vectors) {
    const std::array<__u64, 16> expected = {
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
        0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
        0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
        0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5};
    for (std::size_t length = 0; length < expected.size(); length++)
        BOOST_TEST(hash(kCountingKey, counting(length), 2, 4) == expected[length]);
}

BOOST_AUTO_TEST_CASE(two_four_agrees_with_libsodium_at_every_length) {
    std::uint8_t key[crypto_shorthash_KEYBYTES];
    std::memcpy(key, kCountingKey, sizeof key);
    for (std::size_t length = 0; length < 200; length++) {
        std::vector<std::uint8_t> message = counting(length);
        __u64 expected = 0;
        crypto_shorthash(reinterpret_cast<std::uint8_t *>(&expected), message.data(), length, key);
        BOOST_TEST(hash(kCountingKey, message, 2, 4) == expected);
    }
}

BOOST_AUTO_TEST_CASE(one_three_gives_cpythons_values) {
    const __u64 zero[2] = {0, 0};
    const std::vector<std::pair<std::size_t, __u64>> expected = {
        {1, 0x68a914128e01e473},  {4, 0x7cc43f98813e4dbd}, {6, 0xe3c25f87624f1cdb},
        {7, 0x2f098ab0c751325a},  {8, 0xead411e67ebe2eea}, {15, 0xf30eb725bb91c9ea},
        {16, 0x8972188433a5c5b7}, {18, 0xadc2c0b63044067d}};
    for (auto [length, value] : expected)
        BOOST_TEST(hash(zero, counting(length), 1, 3) == value);
}

BOOST_AUTO_TEST_SUITE_END()
