// SPDX-License-Identifier: Apache-2.0
//
// Where other nodes' agents bring commands: TCP on the heartbeat interfaces, `[control] port`,
// encrypted and authenticated by CurveZMQ with keys that follow from the cluster key. A host without
// that key cannot even begin a handshake, because the listener's public key is not public
// knowledge.
//
// Any host on the network can connect. ZeroMQ's thread does the handshakes and ends those that are not
// done in time; it has the priority of an ordinary thread, so that no caller delays a beat.
// The number of connections, open and per second, is bounded: beyond that a gate closes (see
// gate.hpp). Every connection that failed is counted.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/config/in_force.hpp"
#include "agent/control/commands.hpp"
#include "heartbeat/types.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agent {

// Outcomes of connections: those that proved the key, and the others by their fault.
inline constexpr std::array<std::string_view, 6> kCallers = {
    "callers", "wrong_key", "cut_off", "not_zeromq", "not_expected", "held_off"};

class ControlPort {
  public:
    // Throws when ZeroMQ refuses. A port that is taken on some interface is tried again: see obstacle().
    ControlPort(const std::vector<std::string> &interfaces, std::uint16_t port,
                const ClusterKey &key);
    ~ControlPort();
    ControlPort(const ControlPort &) = delete;
    ControlPort &operator=(const ControlPort &) = delete;

    void wait(Poll &poll) const; // edge-triggered: call serve() on every turn
    // As Control::serve, and looks after the callers.
    bool serve(heartbeat::Time now, Commands &commands);

    // Takes over another key or port, as soon as requests under way have been answered.
    void configure(const InForce &in_force);
    // About once a second, and when an interface has changed: listens on one that was recreated, or
    // on which it could not listen before.
    void look_after();
    // Why it does not listen on some interface; nothing: it does on all.
    std::optional<std::string> obstacle() const;

    Json counters() const; // how many, by kCallers

    static constexpr std::size_t kMostOpen = 64;    // connections at once
    static constexpr std::size_t kMostASecond = 64; // new ones

  private:
    struct Sockets;
    void change_key(heartbeat::Time now);

    std::uint16_t port_;
    ClusterKey key_;
    std::unique_ptr<Sockets> sockets_;
    std::optional<ClusterKey> next_; // in the place of key_, or the same one, for other listeners
    std::uint64_t answered_ = 0; // until quiet_since_
    heartbeat::Time quiet_since_{};
};

} // namespace agent
