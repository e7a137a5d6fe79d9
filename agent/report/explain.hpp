// SPDX-License-Identifier: Apache-2.0
// Whose is this flow, and why: the answer of the loaded program itself, put beside the view's owner
// tables.
#pragma once

#include "agent/config/config.hpp"
#include "agent/control/commands.hpp"
#include "agent/node/node.hpp"

#include <string>
#include <vector>

namespace agent {

// args: PROTO SRC:PORT VIP:PORT [syn|ack]. Throws Failed.
Json explain(const std::vector<std::string> &args, const Config &config, Node &node,
             filter::Datapath &datapath, heartbeat::Time now);

} // namespace agent
