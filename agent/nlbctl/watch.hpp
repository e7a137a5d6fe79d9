// SPDX-License-Identifier: Apache-2.0
// The live view: asks repeatedly and shows the replies, until the user quits.
#pragma once

#include "agent/nlbctl/watch_page.hpp"

#include <functional>

namespace agent {

// Asks the local agent for its status. Throws when it does not answer.
using Ask = std::function<Sample()>;

// Returns on q, Ctrl-C, SIGTERM, SIGHUP and when the terminal is gone. Throws when the first
// question has no answer; when an agent that has answered goes away, that is shown, and it is asked
// again. every: between two questions.
void watch(const Ask &ask, std::chrono::milliseconds every, bool colour);

} // namespace agent
