// SPDX-License-Identifier: Apache-2.0
//
// The read-only commands and the documents of the web server: each is made
// on request, from the state of the parts at that moment.
#pragma once

#include "agent/config/in_force.hpp"
#include "agent/control/commands.hpp"
#include "agent/control/port.hpp"
#include "agent/frames/neighbours.hpp"
#include "agent/frames/witness.hpp"
#include "agent/health/health.hpp"
#include "agent/host/announcement.hpp"
#include "agent/node/census.hpp"
#include "agent/node/node.hpp"
#include "agent/orders/execution.hpp"
#include "agent/report/capture_source.hpp"
#include "agent/report/loop_lag.hpp"
#include "agent/report/problems.hpp"
#include "agent/report/reasons.hpp"
#include "agent/web/documents.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/transport.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace agent {

struct Reported { // all of it outlives the Queries
    const InForce &in_force;
    const std::string &interface; // where clients' frames arrive
    Node &node;
    filter::Datapath &datapath;
    const Health &health;
    const Neighbours &neighbours;
    const std::optional<Witness> &witness;
    const heartbeat::Transport &transport;
    const SocketCensus &census;
    const Commands &commands;
    const ControlPort &control_port;
    const Execution &execution;
    const Problems &problems;
    const std::unique_ptr<Announcement> &announcement;
    const LoopLag &lag;
};

class Queries {
  public:
    explicit Queries(Reported parts) : parts_(std::move(parts)), capture_session_(parts_.datapath) {}

    void add_to(Commands &commands);
    // metrics, status or events, as they are now; it may throw.
    std::string document(Document which);
    // For the service manager.
    heartbeat::Status summary(heartbeat::Time now);
    // On every turn: a capture that nlbctl no longer asks for ends.
    void handle(heartbeat::Time now) { capture_session_.expire(now); }
    // Call about once a second: logs events that are otherwise only counted.
    void tell_reasons(heartbeat::Time now);

  private:
    Json status_now();

    Reported parts_;
    CaptureSession capture_session_;
    ReasonsLog reasons_log_;
};

} // namespace agent
