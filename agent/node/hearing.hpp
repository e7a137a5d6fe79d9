// SPDX-License-Identifier: Apache-2.0
//
// Where this node hears the others, interface by interface. The membership asks only whether a node is
// heard at all; this tells a path that is dead beside one that works. A node whose clients' network is
// dead has to give its buckets away, though it is alive.
//
// Whether it is this node's path or the network as a whole that is dead, the others' word tells: each
// says in its beats whom it hears on its clients' interface. Where no two others hear each other there,
// either, every node would go, so none does. Nor can two nodes tell which of them it is.
#pragma once

#include "heartbeat/beat.hpp"
#include "heartbeat/types.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace agent {

class Hearing {
  public:
    // now: it has heard no node yet, which means nothing at this moment.
    Hearing(heartbeat::NodeId self, heartbeat::Duration dead_after, heartbeat::Time now)
        : self_(self), dead_after_(dead_after), heard_there_(now), spoken_of_(now) {}

    // An authentic beat. is_new: the first copy that came. there: it came in on the clients' interface.
    void heard(heartbeat::Time now, const heartbeat::Beat &beat, bool is_new, bool there);
    // A copy of the newest one of this peer.
    void heard_again(heartbeat::Time now, heartbeat::NodeId peer, bool there);

    // Within dead_after.
    bool hears_any(heartbeat::Time now) const;
    bool heard_since(heartbeat::NodeId peer, heartbeat::Time when) const {
        return peers_[heartbeat::index(peer)].at > when;
    }
    // For this node's beats.
    heartbeat::NodeBits at_clients(heartbeat::Time now) const;

    // Why this node has no part in the clients' network, though others have.
    struct DeadPath {
        bool deaf; // it hears no node there; else no node hears it
        heartbeat::NodeId listener, speaker; // of the others, one that hears another there
        bool operator==(const DeadPath &) const = default;
    };
    // nullopt while this node hears no other at all.
    std::optional<DeadPath> dead_path(heartbeat::Time now) const;

    // All of at least two other nodes fell silent at once: not they have died, but the network between.
    // Until one of them is heard again.
    bool lost_together(heartbeat::Time now) const;

  private:
    struct Peer {
        heartbeat::Life life = 0; // 0: never heard
        heartbeat::Sequence sequence = 0;
        heartbeat::Time at{}, there_at{}; // last heard, and on the clients' interface
        bool there = false;               // ever
        bool ends = false;                // it has said that it leaves
        heartbeat::NodeBits hears = 0;
    };
    bool alive(const Peer &peer, heartbeat::Time now) const {
        return peer.life != 0 && now - peer.at < dead_after_;
    }

    heartbeat::NodeId self_;
    heartbeat::Duration dead_after_;
    heartbeat::Time heard_there_; // any peer, on the clients' interface
    heartbeat::Time spoken_of_;   // when a peer last said that it hears this node there
    std::array<Peer, heartbeat::kMaxNodes + 1> peers_{};
};

} // namespace agent
