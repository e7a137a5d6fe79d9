// SPDX-License-Identifier: Apache-2.0
// P2 by the clock: after the faults, on a good network, one change after another.
#pragma once

#include "world.hpp"

namespace sim {

// Runs the world on. Precondition: the faults have ended. Throws Violation when the cluster does
// not settle in time, or when a change leaves a bucket without an owner for longer than promised.
void examine(World &world);

} // namespace sim
