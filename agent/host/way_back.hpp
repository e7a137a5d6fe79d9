// SPDX-License-Identifier: Apache-2.0
//
// Whether this host's answers have a route to its clients: the host's stack answers the packets that the
// filter accepts, and without a route the client gets no answer.
#pragma once

#include "agent/host/sockets.hpp"

#include <optional>
#include <string>
#include <vector>

namespace agent {

// Why the kernel has no route for an answer to any of these clients that come over one IP family: "there
// is no route to 198.51.100.7: Network is unreachable". Nothing: it has one, or none was asked about.
std::optional<std::string> no_way_back(const std::vector<Connection> &clients);

} // namespace agent
