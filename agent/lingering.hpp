// SPDX-License-Identifier: Apache-2.0
//
// The groups of buckets in which this node may still hold connections of buckets that have moved
// on. At the switch that is every group that lost a bucket: which of them really hold a connection
// is known only later, and a connection may be in the middle of its handshake. So a group lingers
// for some seconds at least.
#pragma once

#include "filter/datapath.hpp"
#include "heartbeat/types.hpp"

#include <array>

namespace agent {

inline constexpr heartbeat::Duration kLingerAtLeast = std::chrono::seconds(5);

class Lingering {
  public:
    // These groups have just lost a bucket. Call it before the filter lets go of them.
    void add(const filter::GroupSet &groups, heartbeat::Time now);
    // Ends what is over; true when that changed anything.
    bool expire(heartbeat::Time now);

    const filter::GroupSet &groups() const { return groups_; }

  private:
    filter::GroupSet groups_{};
    std::array<heartbeat::Time, filter::kGroups> until_{};
};

} // namespace agent
