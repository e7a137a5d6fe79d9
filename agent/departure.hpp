// SPDX-License-Identifier: Apache-2.0
//
// How the agent ends: it drains for a while, leaves the cluster, and exits when the others have
// taken over or the time is up. A second signal means not to wait for connections, a third not to
// wait at all.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/base/signals.hpp"
#include "agent/config/in_force.hpp"
#include "agent/node/draining.hpp"
#include "agent/node/node.hpp"
#include "agent/orders/execution.hpp"
#include "agent/report/service_manager.hpp"

#include <optional>
#include <string>

namespace agent {

struct Departing { // all of it outlives the Departure
    Signals &signals;
    const InForce &in_force;
    Node &node;
    const SocketCensus &census;
    Draining &draining;
    Execution &execution;
    ServiceManager &service_manager;
};

class Departure {
  public:
    explicit Departure(Departing parts) : parts_(parts) {}

    void wait(Poll &poll) const;
    // On every turn: a drain that is over, whether it was ordered or a part of the end.
    void look_after_draining();
    void obey_signals();
    // The agent cannot go on.
    void leave_because(const std::string &why);

    bool over(heartbeat::Time now) const;
    const std::string &failure() const { return failure_; } // why, when it ends without a signal

  private:
    void end();
    void leave();

    Departing parts_;
    std::optional<heartbeat::Time> leave_by_; // set when the agent is told to end: it leaves at this time at the latest
    std::string failure_;
};

} // namespace agent
