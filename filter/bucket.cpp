// SPDX-License-Identifier: Apache-2.0
#include "filter/bucket.hpp"

#include "filter/siphash.h"

#include <arpa/inet.h>
#include <cstring>

namespace filter {

static_assert(static_cast<int>(Affinity::none) == NLB_AFFINITY_NONE &&
              static_cast<int>(Affinity::single) == NLB_AFFINITY_SINGLE &&
              static_cast<int>(Affinity::network) == NLB_AFFINITY_NETWORK);

unsigned bucket_of(const std::array<std::uint8_t, 16> &hash_key, Affinity affinity,
                   const IpAddress &source, std::uint16_t port) {
    __u64 key[2], address[2];
    std::memcpy(key, hash_key.data(), sizeof key);
    std::memcpy(address, source.bytes.data(), sizeof address);
    const nlb_sip start = nlb_sip_start(key);
    return nlb_bucket(&start, static_cast<__u8>(affinity), source.is_v4() ? 4 : 6, address,
                      htons(port));
}

} // namespace filter
