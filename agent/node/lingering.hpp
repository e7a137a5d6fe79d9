// SPDX-License-Identifier: Apache-2.0
//
// The groups of buckets in which this node may still hold connections of buckets that have moved
// on. At the switch that is every group that lost a bucket: which of them really hold a connection
// is known only later, and a connection may be in the middle of its handshake. Then it is what the
// socket table shows. A group lingers until neither has been so for some seconds: a listing of the
// sockets is no snapshot, and the last packet of a connection that has ended may have to be sent
// again.
#pragma once

#include "filter/datapath.hpp"
#include "heartbeat/types.hpp"

#include <array>

namespace agent {

inline constexpr heartbeat::Duration kLingerAtLeast = std::chrono::seconds(5);

class Lingering {
  public:
    // These groups have just lost a bucket (call it before the filter lets go of them), or have
    // been seen to hold a connection.
    void add(const filter::GroupSet &groups, heartbeat::Time now);
    // Ends what is over; true when that changed anything. Call it when the sockets have been
    // listed, and only then: a node that cannot list them must not let go.
    bool expire(heartbeat::Time now);

    const filter::GroupSet &groups() const { return groups_; }
    bool any() const { return groups_ != filter::GroupSet{}; }

  private:
    filter::GroupSet groups_{};
    std::array<heartbeat::Time, filter::kGroups> until_{};
};

} // namespace agent
