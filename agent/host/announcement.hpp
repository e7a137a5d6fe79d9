// SPDX-License-Identifier: Apache-2.0
//
// What routers hear of this node: the virtual IPs are addresses of a device of the agent's own, and a routing daemon of
// this host (FRR, BIRD) exports what that device has, as long as it has a carrier. So the carrier is the announcement.
//
// The device is a TUN device that outlives the process, with the addresses: open connections live on in a restart. Its
// carrier goes with the last process that holds it, however that ends. That process is the guard, a child of the agent that
// knows until when to announce: an agent that is stopped or late takes nothing back, so its guard does, before the filter
// falls silent. The guard also does the waiting, where a switch of the carrier waits for the kernel's lock of all interfaces.
//
// Rejected: addresses that come and go. With the virtual IPs on lo, FRR takes lo's for the route and never sees
// another device's; and an address that goes for a moment takes the host's right to use it along.
#pragma once

#include "filter/descriptor.hpp"
#include "heartbeat/types.hpp"

#include <string>
#include <sys/types.h>

namespace agent {

inline constexpr const char *kAnnounceDevice = "nlbd-announce";

class Announcement {
  public:
    // The device is created, or taken over with its addresses. Nothing is announced yet. Throws
    // `make device nlbd-announce: cause; way out`.
    Announcement();
    ~Announcement(); // removes the device
    Announcement(const Announcement &) = delete;

    // May be called often. Boot clock; a time in the past ends the announcement.
    void set_until(heartbeat::Time until);

    // Call about once a second, and after a change of an interface: restores what was removed and returns what it was;
    // empty: nothing was missing. Throws as the constructor.
    std::string heal();
    // Updates the state; call after each change of an interface. Logs what has changed.
    void look(heartbeat::Time now);

    bool announced() const { return announced_; }
    heartbeat::Time since() const { return since_; } // Time{0}: not known

    // What an agent that was killed has left; nothing to do is fine. Throws.
    static void remove_left_over();

  private:
    void make();
    void start_guard(const filter::Descriptor &device);
    void end_guard();
    bool guard_lives() const;

    filter::Descriptor guard_; // the guard carries out what is written there
    pid_t process_ = 0;
    int index_ = 0;
    heartbeat::Time until_{}; // as the guard was told
    bool announced_ = false;
    heartbeat::Time since_{};
};

} // namespace agent
