// SPDX-License-Identifier: Apache-2.0
//
// How often the loop may turn. A turn costs the same for one datagram as for many, and runs at real-time priority: in a
// flood of questions or of forged beats a turn for each would take a processor from the services of this host. What
// comes faster is dealt with together.
#pragma once

#include "heartbeat/types.hpp"

#include <algorithm>
#include <chrono>

namespace agent {

class TurnLimit {
  public:
    static constexpr heartbeat::Duration kApart = std::chrono::milliseconds(1); // in the long run
    static constexpr int kAtOnce = 100;

    // A turn is to begin: how long to rest before it; as a rule not at all.
    heartbeat::Duration take(heartbeat::Time now) {
        next_ = std::max(next_, now - kAtOnce * kApart) + kApart;
        return std::max(heartbeat::Duration{0}, next_ - now);
    }

  private:
    heartbeat::Time next_{};
};

} // namespace agent
