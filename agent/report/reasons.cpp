// SPDX-License-Identifier: Apache-2.0
#include "agent/report/reasons.hpp"

namespace agent {

std::vector<std::string> ReasonsLog::rose(heartbeat::Time now,
                                          const std::vector<Counted> &counted) {
    std::vector<std::string> lines;
    for (const Counted &one : counted) {
        const std::string head = std::string(one.what) + " (reason=" + one.reason;
        Told &told = told_[head];
        if (one.count < told.count) told.count = 0; // counted from 0 again
        if (one.count == told.count || now - told.at < kPause) continue;
        lines.push_back(head + " count=" + std::to_string(one.count - told.count) + ")");
        told = {one.count, now};
    }
    return lines;
}

} // namespace agent
