// SPDX-License-Identifier: Apache-2.0
//
// What is in the way on this host and not the agent's to change. A start refuses it; what comes about
// later is a problem.
#pragma once

#include "agent/host/settings.hpp"
#include "agent/host/state.hpp"

#include <optional>
#include <string>

namespace agent {

struct Obstacle {
    std::string what;    // "interface lo: is down, so it cannot hold virtual IPs"
    std::string way_out; // "ip link set lo up"
};

// Why this host cannot serve as it is. A missing interface is not looked for here. Throws
// std::runtime_error when the kernel does not say.
std::optional<Obstacle> find_obstacle(const HostSettings &wish);

// A virtual IP that an interface has as well, as of the state's last refresh.
std::optional<Obstacle> find_misplaced(const HostSettings &wish, const HostState &state);

} // namespace agent
