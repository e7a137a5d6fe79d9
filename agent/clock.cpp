// SPDX-License-Identifier: Apache-2.0
// Reads CLOCK_BOOTTIME; it cannot fail on any kernel that runs the filter.
#include "agent/clock.hpp"

#include <ctime>

namespace agent {

heartbeat::Time boot_now() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

} // namespace agent
