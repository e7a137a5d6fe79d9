// SPDX-License-Identifier: Apache-2.0
//
// Decides when a node has drained. It takes no new connections from the moment at which it serves
// nothing; a handshake that was under way then has no socket that could be counted. So it waits a
// moment longer, and only a count that was begun after that is believed. Pure: the agent carries
// out the result.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/node/census.hpp"
#include "heartbeat/types.hpp"

#include <optional>

namespace agent {

class Draining {
  public:
    enum class Then { stop, leave }; // the cluster; and end the agent as well

    // until: then it is over anyway. Calling begin() again keeps what is under way, but takes over
    // a new `until`, and an upgrade from stop to leave. not_before: it is not over before that,
    // even with no connection left.
    void begin(Then then, std::optional<heartbeat::Time> until, heartbeat::Time not_before = {});
    void cancel() { *this = {}; }

    // Call on every turn: true once, when no connection is left or the time is up.
    bool over(heartbeat::Time now, bool serves_nothing, const std::optional<Census> &latest);

    bool under_way() const { return under_way_; }
    Then then() const { return then_; }
    void wait(Poll &poll) const {
        if (under_way_) poll.at(until_);
        if (under_way_ && not_before_ > poll.now()) poll.at(not_before_);
    }

    static constexpr heartbeat::Duration kHandshake = std::chrono::milliseconds(500);

  private:
    bool under_way_ = false;
    Then then_ = Then::stop;
    heartbeat::Time until_ = heartbeat::kNever, not_before_{};
    std::optional<heartbeat::Time> closed_; // since when this node has served nothing
};

} // namespace agent
