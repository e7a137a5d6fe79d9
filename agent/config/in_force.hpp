// SPDX-License-Identifier: Apache-2.0
// The configuration that this node works by. A reload puts another in its place, and tells every part.
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
