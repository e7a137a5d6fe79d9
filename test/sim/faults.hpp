// SPDX-License-Identifier: Apache-2.0
// What goes wrong in a run: drawn from the seed.
#pragma once

#include "world.hpp"

namespace sim {

Options draw_options(std::uint64_t seed, Duration interval, Duration dead_after);
// Schedules starts and faults over [0, length). hard: also at the moments at which something has changed, clocks
// that stand still, reboots of many at once, and one that remembers while the others are rebooted.
void draw_faults(World &world, Duration length, bool hard);
// Ends every fault: links whole, every node started, with the one configuration, and to serve.
void end_faults(World &world);

// The single ones, for scenarios. They end by themselves.
void partition(World &world, const std::vector<bool> &side, bool one_way, Duration length);
void cut(World &world, unsigned from, unsigned to, Duration length); // one direction
// The node's cable: pulled, or only one of its directions at work.
enum class Cable { pulled, deaf, mute };
void damage_cable(World &world, unsigned id, Cable damage, Duration length); // in all planes
void damage_port(World &world, unsigned id, unsigned plane, Cable damage, bool works);

// planes.cpp: of one of two planes.
void plane_fault(World &world);
void remove_port(World &world, unsigned id, unsigned plane, Duration length); // and makes it anew

} // namespace sim
