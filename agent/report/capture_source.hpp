// SPDX-License-Identifier: Apache-2.0
//
// What `nlbctl capture` has to know from the agent: where to see the packets, and whose they
// are. nlbctl asks for it about twice a second; the agent does nothing else for a capture and
// never sees the packets. Owners follow from the view, so nlbctl works them out itself (packet_owners).
#pragma once

#include "agent/config/config.hpp"
#include "agent/control/commands.hpp"
#include "agent/node/node.hpp"
#include "filter/datapath.hpp"

#include <string>

namespace agent {

Json capture_source(const Config &config, const std::string &interface, Node &node,
                    const filter::Datapath &datapath, heartbeat::Time now);

// A capture lasts as long as nlbctl keeps asking; if nlbctl is killed, the capture expires.
class CaptureSession {
  public:
    explicit CaptureSession(filter::Datapath &datapath) : datapath_(datapath) {
        datapath_.show(filter::Shown::nothing); // whatever was adopted
    }

    // args: everything, accepted, foreign, or nothing to end the capture; and the asking process's unique name. Throws
    // Failed, and Denied when another capture is running.
    void ask(const Commands::Arguments &args, heartbeat::Time now);
    void expire(heartbeat::Time now);

    static constexpr heartbeat::Duration kHolds = std::chrono::seconds(3);

  private:
    filter::Datapath &datapath_;
    std::string to_; // empty: no capture runs
    heartbeat::Time until_{};
};

} // namespace agent
