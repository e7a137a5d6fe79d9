// SPDX-License-Identifier: Apache-2.0
//
// What `nlbctl status --json` prints: a stable contract. Keys may be added, never renamed or
// removed; their order stays. What `nlbctl status` shows people is rendered from this alone.
#pragma once

#include "agent/config/config.hpp"
#include "agent/control/commands.hpp"
#include "agent/frames/neighbours.hpp"
#include "agent/frames/witness.hpp"
#include "agent/health/health.hpp"
#include "agent/host/announcement.hpp"
#include "agent/node/census.hpp"
#include "agent/node/node.hpp"
#include "agent/orders/orders.hpp"
#include "agent/report/problems.hpp"
#include "heartbeat/transport.hpp"

#include <string>

namespace agent {

struct StatusSources {
    const Config &config;
    const NodeConfig &self;
    const std::string &interface; // where clients' frames arrive
    Node &node;
    const filter::Datapath &datapath;
    const Health &health;
    const NeighbourCounters &neighbours;
    const Commands &commands;
    const heartbeat::Transport::Counters &transport; // of beats
    const std::optional<Census> &census; // the connections, as last counted
    const std::optional<Witness> &witness;
    const Orders &orders;
    Json callers; // ControlPort's counters
    const Problems &problems;
    const Announcement *announcement; // null: not wanted
};

Json status(const StatusSources &sources, heartbeat::Time now);

} // namespace agent
