// SPDX-License-Identifier: Apache-2.0
// What goes wrong in a run: drawn from the seed, or one of the named scenarios.
#pragma once

#include "world.hpp"

namespace sim {

Options draw_options(std::uint64_t seed);
// Schedules starts and faults over [0, length).
void draw_faults(World &world, Duration length);
// Ends every fault: links whole, stalls over. Killed and crashed nodes stay as they are.
void end_faults(World &world);

} // namespace sim
