// SPDX-License-Identifier: Apache-2.0
#include "filter.hpp"

#include <bit>

namespace sim {

// Both are 64-bit words, the lowest bit first (a std::bitset by libstdc++'s choice).
static_assert(sizeof(Buckets) == sizeof(heartbeat::GroupSet));
Buckets buckets_of(const heartbeat::GroupSet &groups) { return std::bit_cast<Buckets>(groups); }
heartbeat::GroupSet groups_of(const Buckets &buckets) {
    return std::bit_cast<heartbeat::GroupSet>(buckets);
}

Fate Filter::data(std::uint64_t connection, unsigned bucket, Time local) const {
    const bool socket = sockets[bucket].contains(connection);
    const bool mine_now = serves(bucket, local);
    if (mine_now && !guarded[bucket]) return socket ? Fate::taken : Fate::reset;
    const bool lingers = lingering[bucket] || mine[bucket]; // an expired lease counts as lingering
    return socket && (mine_now || lingers) ? Fate::taken : Fate::dropped;
}

void Filter::release(const Buckets &kept, Time local) {
    const Buckets lost = mine & ~kept;
    lingering |= lost;
    for (auto bucket = lost._Find_first(); bucket < kSimBuckets; bucket = lost._Find_next(bucket))
        linger_until[bucket] = local + kLinger;
    mine &= kept;
}

void Filter::tidy(Time local) {
    if (local < tidy_at) return;
    tidy_at = local + std::chrono::milliseconds(100);
    for (auto bucket = lingering._Find_first(); bucket < kSimBuckets;
         bucket = lingering._Find_next(bucket))
        if (local >= linger_until[bucket] && sockets[bucket].empty()) lingering.reset(bucket);
}

void Filter::rebuild(Time local) {
    mine.reset();
    guarded.set();
    lease = {};
    for (unsigned bucket = 0; bucket < kSimBuckets; ++bucket) {
        lingering[bucket] = !sockets[bucket].empty();
        linger_until[bucket] = local + kLinger;
    }
}

} // namespace sim
