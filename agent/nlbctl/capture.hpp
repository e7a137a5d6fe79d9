// SPDX-License-Identifier: Apache-2.0
//
// `nlbctl capture`: the packets that come to this node, each with its verdict, to a file or as lines.
// Where they are to be seen and whose they are the agent is asked for now and then; the packets
// themselves do not pass through it.
#pragma once

#include "agent/base/json.hpp"
#include "filter/capture.hpp"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>

namespace agent {

struct CaptureOrder {
    std::string run_dir;                // the agent's
    std::string file;                   // empty: a line a packet; "-": the file to standard output
    std::optional<std::uint64_t> count; // of packets, then it ends
    std::optional<int> seconds;         // after these, it ends
    bool json = false;
};

// Opens the file as the calling user, then becomes the agent's user with the rights that a capture needs: what it
// reads from then on, packets apart, is data from that user.
// Runs until its order or a signal ends it. ask: returns the reply of the agent's command `capture`; true while
// the capture runs, false when it has ended; may throw, and is called again. Throws what the
// first call throws, and when it cannot write.
void capture(const CaptureOrder &order, const std::function<Json(bool)> &ask, std::ostream &out,
             std::ostream &err);

} // namespace agent
