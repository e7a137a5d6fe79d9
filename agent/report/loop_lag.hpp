// SPDX-License-Identifier: Apache-2.0
//
// The event loop's lateness: the time from when a turn should have begun to when it did, whatever
// the cause (a long turn before, a busy machine, a stopped process). At the length of a lease, the
// node has been fenced. A histogram, because the mean hides the one turn that matters.
#pragma once

#include "heartbeat/types.hpp"

#include <array>
#include <chrono>
#include <cstdint>

namespace agent {

struct LoopLag {
    // Seconds, inclusive; the last bucket has no bound.
    static constexpr std::array kBounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                        0.05,   0.1,   0.25,   0.5,   1.0};
    std::array<std::uint64_t, kBounds.size() + 1> counts{}; // not cumulative
    double sum = 0;                                         // seconds

    void add(heartbeat::Duration late) {
        const double seconds = std::chrono::duration<double>(late).count();
        std::size_t bucket = 0;
        while (bucket < kBounds.size() && seconds > kBounds[bucket])
            ++bucket;
        ++counts[bucket];
        sum += seconds;
    }
};

} // namespace agent
