// SPDX-License-Identifier: Apache-2.0
//
// From single results to "healthy": so many in a row change it (rise, fall), and a service that
// comes and goes is held down for a growing time, for each change moves its clients between nodes.
// Pure: time and results come in, nothing goes out.
//
// The hold: a fall counts 1, and one is forgotten for each minute since the last. The first three
// cost nothing; the n-th holds the service down for 2^(n-4) seconds from then on (1, 2, 4, 8, ...), a
// minute at most.
#pragma once

#include "heartbeat/types.hpp"

#include <string>

namespace agent {

// One result of a check.
struct CheckResult {
    bool works = false;
    std::string reason; // why it does not; empty when it does
};

class HealthState {
  public:
    // Unhealthy until the first result, which decides by itself.
    HealthState(unsigned rise, unsigned fall) : rise_(rise), fall_(fall) {}

    // Nothing is known yet; until now the service was taken for healthy, or for unhealthy.
    void assume(bool healthy) {
        if (!known_) healthy_ = healthy;
    }
    void take(heartbeat::Time now, const CheckResult &finding);
    // The hold, if any, is over.
    void release(heartbeat::Time now);

    bool healthy() const { return healthy_; }
    bool known() const { return known_; } // there was a result
    bool held(heartbeat::Time now) const { return works_ && !healthy_ && now < held_until_; }
    heartbeat::Duration hold_left(heartbeat::Time now) const;
    heartbeat::Time held_until() const { return held_until_; }
    heartbeat::Time fell_at() const { return fell_at_; } // Time{0}: never
    unsigned falls(heartbeat::Time now) const;           // that are not forgotten
    // Why it is not healthy; empty when it is.
    std::string reason(heartbeat::Time now) const;

  private:
    void fall(heartbeat::Time now);

    unsigned rise_, fall_;
    bool known_ = false, healthy_ = false;
    bool works_ = false;  // by the last result
    unsigned in_a_row_ = 0; // results that speak against healthy_
    unsigned falls_ = 0;
    heartbeat::Time fell_at_{}, held_until_{};
    std::string reason_ = "not examined yet"; // of the last failure
};

} // namespace agent
