// SPDX-License-Identifier: Apache-2.0
//
// What is wrong on this node at the moment, in one list: status, metrics, the page and the log show
// only this list. The part that finds something wrong sets the problem, and clears it
// when it is over. A new one is a kind here and a line in the table of problems.cpp.
#pragma once

#include "agent/control/commands.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agent {

enum class ProblemKind : std::uint8_t {
    filter_not_proven,
    clients_link_lost,
    clients_path_dead,
    host_unfit,
    beats_not_sent,
    beats_not_heard,
    listening,
    beats_filtered,
    heartbeat_interface_unusable,
    address_not_own,
    address_not_reached,
    group_not_heard,
    host_not_seen,
    monitor_ended,
    no_way_back,
    virtual_ip_elsewhere,
    virtual_ip_claimed,
    peers_lost_together,
    datapath_stepped_down,
    commands_not_heard,
    metrics_not_served,
    interface_not_locked,
    restart_needed,
    not_announced,
    not_listed,
    electorate_not_kept,
};
inline constexpr std::size_t kProblemKinds = 26;

// Names stay: alerts and scripts go by them.
std::string_view to_string(ProblemKind kind);

class Problems {
  public:
    // Nothing: all is well again. way_out: where a better one is known than the kind's. What begins,
    // changes or ends is logged.
    void set(ProblemKind kind, const std::optional<std::string> &text,
             const std::string &way_out = {});

    // Why this node serves nothing, with the way out; empty when no problem keeps it from serving.
    std::string why_not_serving() const;
    std::string text(ProblemKind kind) const; // empty: it is not there
    // As in `status --json`: name, text, way_out, serious.
    Json list() const;

  private:
    struct Problem {
        std::string text, way_out;
        bool operator==(const Problem &) const = default;
    };
    std::array<std::optional<Problem>, kProblemKinds> present_;
};

} // namespace agent
