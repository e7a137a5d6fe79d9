// SPDX-License-Identifier: Apache-2.0
//
// What a reload may change. Most keys come into force on all nodes at once. Some wait for the next start of
// the agent, node by node: the cluster goes on whether a node has them yet or not. The rest is refused,
// because nodes that differ in it for a moment could both serve a client, or would not hear each other:
//
//   times       A node declares another dead by its own dead_after_ms, and the other one's right to serve
//               lasts by that one's. A leader that has a shorter time already would give away buckets
//               that a member with the longer one still serves. With a longer time it is the leader
//               that serves on while nodes that it has lost elect another by the shorter one. Members
//               that have left the view, and those that vote without a place in it, are told by no view.
//   partition   One node's electorate is not another's.
//   nodes       A node keeps its id, and one of them has to stay.
//   group, port A node that was away would come back, hear none of the others and serve beside them.
//   address     The same, in a network without multicast, when a node keeps none of its addresses.
//   the MAC     Clients and routers send to the former one until they ask again.
#pragma once

#include "agent/config/config.hpp"

#include <string>
#include <vector>

namespace agent {

// Each change that cannot come into force while agents run, with its reason: "heartbeat.port (...)".
std::vector<std::string> refused_changes(const Config &running, const Config &next);

// What an agent has taken from its configuration for as long as it runs.
struct Started {
    std::string interface;
    DatapathKind datapath;
    bool announces;
    std::vector<std::string> heartbeat_interfaces;
};
Started started_with(const Config &config, const NodeConfig &self);

// The keys of these that are others in the configuration: they wait for the next start.
std::vector<std::string> waits_for_restart(const Started &started, const Config &next,
                                           const NodeConfig &self);

// The present heartbeat interfaces and the next ones have none in common: nodes started anew would not hear the
// others.
bool parts_beats(const Started &started, const Config &next, const NodeConfig &self);

std::string listed(const std::vector<std::string> &texts); // "one, another"

} // namespace agent
