// SPDX-License-Identifier: Apache-2.0
// Stalls cost a lease: the agent asks to be run before others and never to be swapped out.
#pragma once

#include <string>
#include <vector>

namespace agent {

// What was not permitted, one line each, for the log. Threads that are started later, and commands,
// run as ordinary ones all the same (SCHED_RESET_ON_FORK).
std::vector<std::string> ask_for_realtime();

} // namespace agent
