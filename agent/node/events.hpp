// SPDX-License-Identifier: Apache-2.0
//
// What has happened to this node and to its cluster, for `nlbctl events`: the membership's notes
// with the time at which they came, and for every view how long it took from the moment at which
// this node applied it (its leader: issued it) to the moment at which it was served.
#pragma once

#include "agent/base/json.hpp"
#include "heartbeat/membership.hpp"

#include <array>
#include <cstdint>
#include <deque>

namespace agent {

struct NodeEvent {
    heartbeat::Time at{};
    heartbeat::Note note;
    std::optional<heartbeat::Duration> took; // a view, from applied to served
    bool overtaken = false; // a view: another one came, or its member's life ended, before it was served
};

class EventLog {
  public:
    void add(heartbeat::Time now, const heartbeat::Note &note);
    void served(heartbeat::Time now, heartbeat::ViewNumber view);

    const std::deque<NodeEvent> &events() const { return events_; } // the newest last
    std::uint64_t count(heartbeat::Note::Kind kind) const {
        return counts_[static_cast<std::size_t>(kind)];
    } // of all that ever came

    static constexpr auto kKinds = static_cast<std::size_t>(heartbeat::Note::Kind::health) + 1;
    static constexpr std::size_t kKept = 256;

  private:
    NodeEvent *waiting(); // the newest view, when it is still to be served
    std::deque<NodeEvent> events_;
    std::array<std::uint64_t, kKinds> counts_{};
};

std::string_view to_string(heartbeat::Note::Kind kind);

// The newest first.
Json events(const EventLog &log, heartbeat::Time now);

} // namespace agent
