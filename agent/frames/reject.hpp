// SPDX-License-Identifier: Apache-2.0
//
// Tells clients what the filter has refused for the whole cluster: a rule's service works on no
// node, and when_all_down = "reject". Not more than 2,000 times a second: what comes faster waits
// in the filter's ring, and then is dropped in silence.
#pragma once

#include "agent/frames/sender.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/types.hpp"

#include <optional>
#include <string>

namespace agent {

class Refusals {
  public:
    Refusals(std::string interface, filter::Datapath &datapath)
        : interface_(std::move(interface)), datapath_(datapath) {}

    int
    descriptor(heartbeat::Time now) const; // for poll (readable: call handle()); -1 while it rests
    heartbeat::Time wake_at(heartbeat::Time now) const;
    void handle(heartbeat::Time now);

  private:
    std::string interface_;
    filter::Datapath &datapath_;
    std::optional<FrameSender> sender_;
    int index_ = 0; // of the interface that it is open on
    heartbeat::Time rests_until_{};
};

} // namespace agent
