// SPDX-License-Identifier: Apache-2.0
// The configuration in force on this node. A reload replaces it and informs every part.
#pragma once

#include "agent/config/config.hpp"
#include "agent/config/key.hpp"

namespace agent {

struct InForce {
    Config config;
    NodeConfig self; // this node, in it
    ClusterKeys keys;
};

} // namespace agent
