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
    std::optional<int> seconds;         // likewise
    bool json = false;
};

// Opens the file as whoever calls it, then becomes the agent's user with what a capture needs: of what it
// reads from there on, packets apart, all is that user's word.
// Until told to end by its order or a signal. ask: what the agent's command of this name says, while
// this looks and, false, when it has looked enough; may throw, and is asked again. Throws what the
// first asking throws, and when it cannot write.
void capture(const CaptureOrder &order, const std::function<Json(bool)> &ask, std::ostream &out,
             std::ostream &err);

} // namespace agent
