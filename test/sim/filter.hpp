// SPDX-License-Identifier: Apache-2.0
//
// The filter's rules in small: which packets of a bucket a node takes. It runs on without its
// agent, on its own clock, as the real one does. Sockets are counted by connection; the agent's
// part, keeping the lingering buckets, is here as well.
#pragma once

#include "heartbeat/types.hpp"

#include <array>
#include <bitset>
#include <set>

namespace sim {

using heartbeat::Duration;
using heartbeat::Time;

inline constexpr unsigned kSimBuckets = heartbeat::kGroups; // one bucket a group
using Buckets = std::bitset<kSimBuckets>;
inline constexpr Duration kLinger = std::chrono::seconds(5); // at least, after a switch

Buckets buckets_of(const heartbeat::GroupSet &groups);
heartbeat::GroupSet groups_of(const Buckets &buckets);

enum class Fate { dropped, taken, reset }; // reset: passed to a host that has no socket for it

struct Filter {
    Buckets mine, guarded, lingering;
    Time lease{}, tidy_at{};                                  // the node's clock
    std::array<Time, kSimBuckets> linger_until{};             // the node's clock
    std::array<std::set<std::uint64_t>, kSimBuckets> sockets; // connections

    bool serves(unsigned bucket, Time local) const { return mine[bucket] && local < lease; }
    bool accepts_syn(unsigned bucket, Time local) const { return serves(bucket, local); }
    Fate data(std::uint64_t connection, unsigned bucket, Time local) const;

    void release(const Buckets &kept, Time local); // what goes lingers
    void tidy(Time local);                         // lingering ends with the last socket
    void rebuild(Time local); // by a new process: nothing is served, sockets linger
};

} // namespace sim
