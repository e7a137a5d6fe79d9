// SPDX-License-Identifier: Apache-2.0
// Reads CLOCK_BOOTTIME; it cannot fail on any kernel that runs the filter.
#include "agent/base/clock.hpp"

#include <cstdio>
#include <ctime>

namespace agent {

heartbeat::Time boot_now() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

namespace {

using WallClock = std::chrono::system_clock;

WallClock::time_point on_the_wall(heartbeat::Duration ago) {
    return WallClock::now() - std::chrono::duration_cast<WallClock::duration>(ago);
}

std::string formatted(WallClock::time_point at, const char *format, decltype(gmtime_r) parts_of) {
    const std::time_t calendar = WallClock::to_time_t(std::chrono::floor<std::chrono::seconds>(at));
    std::tm parts{};
    parts_of(&calendar, &parts);
    char text[40];
    return std::string(text, std::strftime(text, sizeof text, format, &parts));
}

} // namespace

std::string wall_time(heartbeat::Duration ago) {
    const auto at = on_the_wall(ago);
    char fraction[8];
    std::snprintf(fraction, sizeof fraction, ".%03dZ",
                  static_cast<int>((at - std::chrono::floor<std::chrono::seconds>(at)) /
                                   std::chrono::milliseconds(1)));
    return formatted(at, "%Y-%m-%dT%H:%M:%S", gmtime_r) + fraction;
}

std::string local_time(heartbeat::Duration ago) {
    constexpr auto kSameDay = std::chrono::hours(12);
    return formatted(on_the_wall(ago), ago < kSameDay ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S",
                     localtime_r);
}

} // namespace agent
