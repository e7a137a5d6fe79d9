// SPDX-License-Identifier: Apache-2.0
//
// What the agent tells the service manager (sd_notify(3)): when the node is ready, its status, that it is
// alive, that it ends. Without a service manager (NOTIFY_SOCKET unset), nothing happens.
//
// A node is ready when its first view is installed. A node that an order keeps stopped or suspended
// gets no view and is ready at once; a node that the others refuse, or that waits for a quorum, is
// ready after ten seconds: a start that never ends would hold up the upgrade that is to cure it.
//
// The watchdog is fed by the poll loop and nothing else, so it bites when the loop hangs.
//
// The agent never waits for the service manager: a message without room, while the manager restarts or
// hangs, is sent again later. sd_notify(3) itself would block, and the loop with it.
#pragma once

#include "agent/base/poll.hpp"
#include "filter/descriptor.hpp"
#include "heartbeat/membership.hpp"

#include <string>

namespace agent {

class ServiceManager {
  public:
    static constexpr heartbeat::Duration kReadyAtLatest = std::chrono::seconds(10);

    // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
    explicit ServiceManager(heartbeat::Time now);

    // Whether report() is worth a status: at every turn until the node was ready, then seldom.
    bool waits() const { return socket_ && !ready_; }
    void report(heartbeat::Time now, const heartbeat::Status &status);
    void feed(heartbeat::Time now); // call on every turn
    // The agent drains and leaves, which takes at most `at_most`.
    void stopping(heartbeat::Duration at_most);

    void wait(Poll &poll) const { poll.at(feed_at_); }

  private:
    bool say(const std::string &message) const;

    std::string name_;          // of the service manager's socket
    filter::Descriptor socket_; // ours; none: without a service manager
    bool ready_ = false;
    heartbeat::Time started_, feed_at_ = heartbeat::Time::max();
    heartbeat::Duration feed_every_{};
    std::string said_;
};

// For an agent that gives up: it would be started again within the lease, as after a crash, and fail
// again. Waits two seconds; without a service manager not at all.
void wait_before_restart();

// "active, view 3.7, 2 of 3 nodes serve"; with the reason where this node does not.
std::string summary(const heartbeat::Status &status);

} // namespace agent
