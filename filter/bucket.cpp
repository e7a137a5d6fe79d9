// SPDX-License-Identifier: Apache-2.0
#include "filter/bucket.hpp"

#include "filter/verdict/bucket.h"
#include "filter/verdict/siphash.h"

#include <arpa/inet.h>
#include <cstring>

namespace filter {

static_assert(static_cast<int>(Affinity::none) == NLB_AFFINITY_NONE &&
              static_cast<int>(Affinity::single) == NLB_AFFINITY_SINGLE &&
              static_cast<int>(Affinity::network) == NLB_AFFINITY_NETWORK);

// Entry n, counted through all tables, is SipHash-2-4 of n as eight bytes.
nlb_hash hash_tables(const HashKey &key) {
    __u64 words[2], n = 0;
    std::memcpy(words, key.data(), sizeof words);
    const auto next = [&] {
        const __u64 message = n++, length = 8;
        return nlb_siphash(words, &message, 1, length << 56, 2, 4);
    };
    nlb_hash hash;
    for (auto &place : hash.places)
        for (__u32 &entry : place)
            entry = static_cast<__u32>(next());
    for (auto &place : hash.mixed)
        for (__u16 &entry : place)
            entry = static_cast<__u16>(next());
    return hash;
}

unsigned Buckets::of(Affinity affinity, const IpAddress &source, std::uint16_t port) const {
    __u64 address[2];
    std::memcpy(address, source.bytes.data(), sizeof address);
    return nlb_bucket(&hash_, static_cast<__u8>(affinity), source.is_v4() ? 4 : 6, address,
                      htons(port));
}

} // namespace filter
