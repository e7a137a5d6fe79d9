// SPDX-License-Identifier: Apache-2.0
//
// How well the beats of each peer arrive: what gets lost, and how evenly the rest comes. The
// membership asks only whether a node is alive; this class tells a healthy network from one in
// which a node is about to be declared dead.
//
// Loss is gaps in the sequence numbers of one life. A beat that comes over two interfaces is taken
// once, and one that was overtaken is lost, for the membership has no use for it either.
//
// Jitter is the mean deviation of the time between two beats from its mean, smoothed as RFC 6298
// smooths round trips (there 1/4 and 1/8). RFC 3550's jitter needs the sender's clock in each
// packet, which beats do not have. So the sender's own unevenness is in it (a beat comes 75 to
// 100 % of an interval after the last, and at once when something changes), and this agent's own
// lateness.
#pragma once

#include "heartbeat/types.hpp"

#include <array>
#include <cstdint>

namespace agent {

struct BeatQuality {
    heartbeat::Life life = 0;
    heartbeat::Sequence sequence = 0; // of its last beat
    heartbeat::Time at{};             // and when that came
    std::uint64_t received = 0, lost = 0;
    double gap = 0, jitter = 0; // seconds; 0: unknown

    void take(heartbeat::Time now, heartbeat::Life of, heartbeat::Sequence number,
              heartbeat::Duration longest);
};

class BeatQualities {
  public:
    // longest: a silence that is an absence, and says nothing about jitter.
    explicit BeatQualities(heartbeat::Duration longest) : longest_(longest) {}

    // An authentic beat that was new.
    void heard(heartbeat::Time now, heartbeat::NodeId peer, heartbeat::Life life,
               heartbeat::Sequence sequence) {
        peers_[heartbeat::index(peer)].take(now, life, sequence, longest_);
    }
    // Precondition: index <= kMaxNodes.
    const BeatQuality &of(unsigned index) const { return peers_[index]; }

  private:
    heartbeat::Duration longest_;
    std::array<BeatQuality, heartbeat::kMaxNodes + 1> peers_{};
};

} // namespace agent
