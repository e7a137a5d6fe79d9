// SPDX-License-Identifier: Apache-2.0
//
// What `nlbctl capture` has to know of the agent: where the packets are to be seen, and whose they
// are. The agent is asked for it about twice a second and has nothing else to do with a capture:
// packets go past it. Owners follow from the view, so nlbctl works them out itself (packet_owners).
#pragma once

#include "agent/config/config.hpp"
#include "agent/control/commands.hpp"
#include "agent/node/node.hpp"
#include "filter/datapath.hpp"

#include <string>

namespace agent {

Json capture_source(const Config &config, const std::string &interface, Node &node,
                    const filter::Datapath &datapath, heartbeat::Time now);

// Packets are shown for as long as somebody asks for it: who was killed asks no more.
class CaptureSession {
  public:
    explicit CaptureSession(filter::Datapath &datapath) : datapath_(datapath) {
        datapath_.show(filter::Shown::nothing); // whatever was adopted
    }

    // args: everything, accepted, foreign or nothing any more; and who asks, by a name that nobody else has. Throws
    // Failed, and Denied when another one is looking.
    void ask(const Commands::Arguments &args, heartbeat::Time now);
    void expire(heartbeat::Time now);

    static constexpr heartbeat::Duration kHolds = std::chrono::seconds(3);

  private:
    filter::Datapath &datapath_;
    std::string to_; // empty: nobody
    heartbeat::Time until_{};
};

} // namespace agent
