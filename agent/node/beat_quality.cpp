// SPDX-License-Identifier: Apache-2.0
#include "agent/node/beat_quality.hpp"

#include <chrono>
#include <cmath>

namespace agent {

void BeatQuality::take(heartbeat::Time now, heartbeat::Life of, heartbeat::Sequence number,
                     heartbeat::Duration longest) {
    const bool goes_on = received > 0 && of == life && number > sequence;
    if (goes_on) {
        const std::uint64_t missing = number - sequence - 1;
        lost += missing;
        if (missing == 0 && now - at < longest) {
            const double between = std::chrono::duration<double>(now - at).count();
            if (gap > 0) jitter += (std::abs(between - gap) - jitter) / 16;
            gap += gap > 0 ? (between - gap) / 16 : between;
        }
    }
    ++received;
    life = of;
    sequence = number;
    at = now;
}

} // namespace agent
