// SPDX-License-Identifier: Apache-2.0
//
// What `nlbctl watch` shows, as lines of text: a pure function of what the agents say of
// themselves, twice.
//
// Rates are the difference between two statuses of one node, so a node's rates are known only when
// that node was asked itself. Of the others this node knows what their beats and the view say:
// state, weight, share, when they were heard. What is not known is shown as "-", never guessed from
// shares.
#pragma once

#include "agent/base/json.hpp"
#include "agent/nlbctl/table.hpp"

#include <chrono>
#include <map>

namespace agent {

struct Sample { // one node's status, and when it was asked for
    Json status;
    std::chrono::steady_clock::time_point at;
};
using Samples = std::map<int, Sample>; // by node id

struct Watched {
    int self = 0;         // the node whose view of the cluster is shown
    Samples before, now;  // `now` has at least this node
    std::string trouble;  // why there is nothing newer; empty: there is
};

struct Page {
    Line title;              // always on top
    std::vector<Line> body;  // may be longer than the screen
};

Page watch_page(const Watched &watched);

// "0", "3.5", "870", "12.3k", "4.5M".
std::string rate_text(double per_second);

} // namespace agent
