// SPDX-License-Identifier: Apache-2.0
#include "agent/report/reasons.hpp"

#include "agent/control/port.hpp"
#include "filter/verdict/reasons.hpp"

#include <array>
#include <span>

namespace agent {

// What no administrator need hear of, such as other nodes' packets, is only counted.
std::vector<Counted> count_reasons(const filter::Datapath &datapath, const BeatCounters &beats,
                                   const heartbeat::Transport::Counters &transport,
                                   const Json &callers) {
    using heartbeat::Refusal;
    static constexpr std::array kBeats = {
        Refusal::too_short, Refusal::too_long,  Refusal::foreign_protocol, Refusal::other_version,
        Refusal::bad_tag,   Refusal::malformed, Refusal::id_taken,         Refusal::unknown_node};
    std::vector<Counted> counted;
    for (const filter::Counter &counter : datapath.counters())
        if (filter::importance(counter.reason) == filter::Importance::fault)
            counted.push_back({"packets: dropped", std::string(counter.reason), counter.packets});
    for (const Refusal refusal : kBeats)
        counted.push_back({"beats: refused", std::string(to_string(refusal)),
                           beats.refused[static_cast<std::size_t>(refusal)]});
    counted.push_back({"beats: lost", "overflowed", transport.overflowed});
    for (const std::string_view reason : std::span(kCallers).subspan<1>())
        counted.push_back({"commands: caller refused", std::string(reason), callers[reason]});
    return counted;
}

std::vector<std::string> ReasonsLog::rose(heartbeat::Time now,
                                          const std::vector<Counted> &counted) {
    std::vector<std::string> lines;
    for (const Counted &one : counted) {
        const std::string head = std::string(one.what) + " (reason=" + one.reason;
        Last &told = told_[head];
        if (one.count < told.count) told.count = 0; // counted from 0 again
        if (one.count == told.count || now - told.at < kPause) continue;
        lines.push_back(head + " count=" + std::to_string(one.count - told.count) + ")");
        told = {one.count, now};
    }
    return lines;
}

} // namespace agent
