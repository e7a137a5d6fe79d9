// SPDX-License-Identifier: Apache-2.0
//
// The one clock of the agent. CLOCK_BOOTTIME goes on while the machine sleeps, so that a lease runs
// out during a suspend as well, and it is the clock that the filter reads.
#pragma once

#include "heartbeat/types.hpp"

namespace agent {

heartbeat::Time boot_now();

} // namespace agent
