// SPDX-License-Identifier: Apache-2.0
//
// Where packets of other nodes are sent on to (delivery = "forward"), as the datapath is to have it: the MAC
// that each node tells in its beats, and the nodes that may hold connections of each group. Those are the
// ones that say so, and for some seconds those that had a bucket of it until now, whether their word has
// come through or not: with flooding, they would see the packet.
#pragma once

#include "agent/node/lingering.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/types.hpp"

#include <array>
#include <optional>

namespace agent {

class Forwarding {
  public:
    // known: what a predecessor knew. What it says of held groups counts for some seconds.
    Forwarding(heartbeat::NodeId self, const filter::Paths &known, heartbeat::Time now);

    void set_mac(heartbeat::NodeId node, const filter::MacAddress &mac); // all zero: it does not say, and nothing changes
    // It has said farewell: its host sends nothing on any more, and may be a client.
    void forget(heartbeat::NodeId node);
    void set_held(heartbeat::NodeId node, const filter::GroupSet &groups); // by its word
    // To be called with what numbers() is from now on, before the datapath has it.
    void move(const filter::Numbers &before, const filter::Numbers &after, heartbeat::Time now);
    void expire(heartbeat::Time now); // may be called often

    const std::array<filter::MacAddress, heartbeat::kMaxNodes + 1> &macs() const { return macs_; }
    // Nothing: they are the same as when it was called last.
    std::optional<filter::Paths> changed_paths();

  private:
    heartbeat::NodeId self_;
    std::array<filter::MacAddress, heartbeat::kMaxNodes + 1> macs_{}; // without this node's own
    std::array<filter::GroupSet, heartbeat::kMaxNodes + 1> held_{};
    std::array<Lingering, heartbeat::kMaxNodes + 1> had_;
    heartbeat::Time next_expiry_{};
    bool changed_ = false;
};

} // namespace agent
