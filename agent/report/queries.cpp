// SPDX-License-Identifier: Apache-2.0
#include "agent/report/queries.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/log.hpp"
#include "agent/node/events.hpp"
#include "agent/report/explain.hpp"
#include "agent/report/metrics.hpp"
#include "agent/report/status.hpp"

#include <stdexcept>

namespace agent {

void Queries::add_to(Commands &commands) {
    commands.add("status", [this](const auto &) { return status_now(); });
    commands.add("explain", [this](const auto &args) {
        return explain(args, parts_.in_force.config, parts_.node, parts_.datapath, boot_now());
    });
    commands.add("capture", [this](const auto &args) {
        capture_session_.ask(args, boot_now());
        return capture_source(parts_.in_force.config, parts_.interface, parts_.node,
                              parts_.datapath, boot_now());
    });
    commands.add("events",
                 [this](const auto &) { return events(parts_.node.events(), boot_now()); });
}

Json Queries::status_now() {
    return status({parts_.in_force.config, parts_.in_force.self, parts_.interface, parts_.node,
                   parts_.datapath, parts_.health, parts_.neighbours.counters(), parts_.commands,
                   parts_.transport.counters(), parts_.census.latest(), parts_.witness,
                   parts_.execution.orders(), parts_.control_port.counters(),
                   parts_.problems,
                   parts_.announcement.get()},
                  boot_now());
}

heartbeat::Status Queries::summary(heartbeat::Time now) {
    heartbeat::Status status = parts_.node.status(now);
    if (const std::string why = parts_.problems.why_not_serving(); !why.empty()) status.reason = why;
    return status;
}

std::string Queries::document(Document which) {
    const heartbeat::Time now = boot_now();
    const Config &config = parts_.in_force.config;
    Node &node = parts_.node;
    if (which == Document::metrics)
        return metrics({status_now(), node.beat_qualities(), node.view_changes(), node.events(),
                        parts_.lag, node.lease_until() - now, config.interval, config.dead_after,
                        node.config()});
    const Json json = which == Document::status ? status_now() : events(node.events(), now);
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Queries::tell_reasons(heartbeat::Time now) {
    try {
        for (const std::string &line :
             reasons_log_.rose(now, count_reasons(parts_.datapath, parts_.node.beats(),
                                                  parts_.transport.counters(),
                                                  parts_.control_port.counters())))
            log::warn(line);
    } catch (const std::exception &error) {
        log::warn(std::string("agent: refusals not counted (") + error.what() + ")");
    }
    log::tick();
}

} // namespace agent
