// SPDX-License-Identifier: Apache-2.0
//
// A low real-time priority is above every ordinary process and below the kernel's own threads (50).
// Pages are locked as they are touched: locking all that is mapped would make untouched thread
// stacks resident.
#include "agent/host/realtime.hpp"

#include <sched.h>
#include <sys/mman.h>

#include <cerrno>
#include <system_error>

namespace agent {

std::vector<std::string> ask_for_realtime() {
    std::vector<std::string> refused;
    const auto say = [&](const std::string &what) {
        refused.push_back("agent: " + what + " (" + std::generic_category().message(errno) + ")");
    };
    sched_param priority{};
    priority.sched_priority = 10;
    if (sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &priority) != 0)
        say("runs without real-time priority");
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) say("runs without locked memory");
    return refused;
}

} // namespace agent
