// SPDX-License-Identifier: Apache-2.0
// When a part wants to be called at the latest.
#pragma once

#include "agent/base/poll.hpp"

namespace agent_test {

template <class Part>
heartbeat::Time wakes_at(const Part &part) {
    agent::Poll poll(heartbeat::Time{});
    part.wait(poll);
    return poll.until();
}

} // namespace agent_test
