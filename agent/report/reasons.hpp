// SPDX-License-Identifier: Apache-2.0
//
// What comes from the network is counted and never logged, packet by packet: it would fill the disk.
// This brings the counters to the log: a line for each reason that has risen, and how often, at most
// one in ten seconds. Pure: numbers in, lines out.
#pragma once

#include "agent/base/json.hpp"
#include "agent/node/node.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/transport.hpp"
#include "heartbeat/types.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace agent {

struct Counted {
    std::string_view what; // "packets: dropped"
    std::string reason;
    std::uint64_t count; // since the start
};

// What an administrator should hear of. callers: ControlPort's counters.
std::vector<Counted> count_reasons(const filter::Datapath &datapath, const BeatCounters &beats,
                                   const heartbeat::Transport::Counters &transport,
                                   const Json &callers);

class ReasonsLog {
  public:
    // Call it about once a second. Lines as `packets: dropped (reason=no_owner count=3)`.
    std::vector<std::string> rose(heartbeat::Time now, const std::vector<Counted> &counted);

    static constexpr heartbeat::Duration kPause = std::chrono::seconds(10);

  private:
    struct Last {
        std::uint64_t count = 0;
        heartbeat::Time at = -kPause;
    };
    std::map<std::string, Last> told_;
};

} // namespace agent
