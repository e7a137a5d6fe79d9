// SPDX-License-Identifier: Apache-2.0
#include "filter.hpp"

namespace sim {

Buckets buckets_of(const heartbeat::GroupSet &groups) {
    Buckets buckets;
    for (std::size_t word = groups.size(); word-- > 0;)
        buckets = buckets << 64 | Buckets(groups[word]);
    return buckets;
}

heartbeat::GroupSet groups_of(const Buckets &buckets) {
    heartbeat::GroupSet groups{};
    for (auto bucket = buckets._Find_first(); bucket < kSimBuckets;
         bucket = buckets._Find_next(bucket))
        groups[bucket / 64] |= std::uint64_t{1} << bucket % 64;
    return groups;
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
