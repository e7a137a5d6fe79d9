// SPDX-License-Identifier: Apache-2.0
// Which lines of the log are one too many: a pure piece, so that it can be tested without a log.
#pragma once

#include "heartbeat/types.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace agent {

class RateLimit {
  public:
    // The line as it is to be printed, or nothing. Lines are the same event when they are equal up
    // to the first parenthesis, and in the reason where that begins with one, `(reason=`. Of one
    // event `kAtMost` are printed in `kWindow`; the next one says how many were not.
    std::optional<std::string> pass(const std::string &line, heartbeat::Time now);

    // For events whose window is over: how many lines were held back, if no later line has said so.
    std::vector<std::string> over(heartbeat::Time now);

    static constexpr unsigned kAtMost = 5;
    static constexpr heartbeat::Duration kWindow = std::chrono::seconds(10);

  private:
    struct Event {
        heartbeat::Time since{};
        unsigned printed = 0, held_back = 0;
    };
    std::map<std::string, Event> events_;
};

} // namespace agent
