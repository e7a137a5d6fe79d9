// SPDX-License-Identifier: Apache-2.0
//
// The one clock of the agent. CLOCK_BOOTTIME goes on while the machine sleeps, so that a lease runs
// out during a suspend as well, and it is the clock that the filter reads.
#pragma once

#include "heartbeat/types.hpp"

#include <string>

namespace agent {

heartbeat::Time boot_now();

// The wall-clock time of `ago` before now. For programs, in UTC: "2026-11-24T13:27:32.125Z";
// for people, in local time: "14:27:32", with the date when that was hours ago.
std::string wall_time(heartbeat::Duration ago);
std::string local_time(heartbeat::Duration ago);

} // namespace agent
