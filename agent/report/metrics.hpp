// SPDX-License-Identifier: Apache-2.0
//
// What a node tells Prometheus. Most of it is the status contract in another notation, so that what
// `nlbctl status --json` shows and what a graph shows is the same; the rest is what only makes
// sense over time: loss and jitter, the lag of the loop, causes of views.
//
// A node reports on itself: buckets and packets are its own, and Prometheus sums over all nodes.
// Only the states of the members come from every node, because an alarm has to see when two nodes
// disagree on them.
#pragma once

#include "agent/base/json.hpp"
#include "agent/node/beat_quality.hpp"
#include "agent/node/events.hpp"
#include "agent/node/view_changes.hpp"
#include "agent/report/loop_lag.hpp"

#include <string>

namespace agent {

struct MetricsSources {
    const Json &status; // as status() makes it
    const BeatQualities &beat_qualities;
    const ViewChanges &view_changes;
    const EventLog &events;
    const LoopLag &lag;
    heartbeat::Duration lease_left; // of the right to serve; negative: it has run out
    heartbeat::Duration interval, dead_after;
    heartbeat::Digest config; // in force
};

std::string metrics(const MetricsSources &sources);

} // namespace agent
