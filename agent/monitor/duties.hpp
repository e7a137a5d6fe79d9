// SPDX-License-Identifier: Apache-2.0
// The monitor's own loop, and what it refuses: the agent that asks may have been taken over.
#pragma once

#include "agent/config/config.hpp"
#include "filter/descriptor.hpp"

#include <sys/types.h>

namespace agent {

// Does not return: ends, with all that it runs, when the agent has. See Monitor.
[[noreturn]] void do_duties(filter::Descriptor orders, filter::Descriptor files, const Config &config, uid_t agents_user);

} // namespace agent
