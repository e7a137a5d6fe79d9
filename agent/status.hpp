// SPDX-License-Identifier: Apache-2.0
//
// What `nlbctl status --json` prints: a stable contract. Keys may be added, never renamed or
// removed; their order stays. Everything that people see is rendered from this and nothing else.
#pragma once

#include "agent/commands.hpp"
#include "agent/config.hpp"
#include "agent/health.hpp"
#include "agent/neighbours.hpp"
#include "agent/node.hpp"
#include "agent/orders.hpp"
#include "agent/problems.hpp"
#include "agent/sockets_census.hpp"
#include "agent/witness.hpp"

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
    std::uint64_t send_errors;           // of beats
    const std::optional<Census> &census; // the connections, as last counted
    const std::optional<Witness> &witness;
    const Orders &orders;
    Json callers; // ControlPort's counters
    const Problems &problems;
};

Json status(const StatusSources &sources, heartbeat::Time now);

} // namespace agent
