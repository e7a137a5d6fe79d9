// SPDX-License-Identifier: Apache-2.0
//
// What `nlbctl watch` shows, as lines of text: a pure function of what the local agent says, twice.
//
// Rates are the difference between two statuses of one node, so only the local node's are known. Of
// the others it knows what their beats and the view say:
// state, weight, share, when they were heard. What is not known is shown as "-", never guessed from
// shares.
#pragma once

#include "agent/base/json.hpp"
#include "agent/nlbctl/table.hpp"

#include <chrono>
#include <optional>

namespace agent {

struct Sample { // the local node's status, and when it was asked for
    Json status;
    std::chrono::steady_clock::time_point at;
};

struct Watched {
    std::optional<Sample> before;
    Sample now;
    std::string trouble; // why there is nothing newer; empty: there is
};

struct Page {
    Line title;              // always on top
    std::vector<Line> body;  // may be longer than the screen
};

Page watch_page(const Watched &watched);

// "0", "3.5", "870", "12.3k", "4.5M".
std::string rate_text(double per_second);

} // namespace agent
