// SPDX-License-Identifier: Apache-2.0
#include "agent/departure.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/log.hpp"

#include <algorithm>
#include <cstdlib>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::NodeState;
using heartbeat::Time;

constexpr Time kSpare = 30s; // for a leave, where a service manager waits for it

} // namespace

void Departure::wait(Poll &poll) const {
    parts_.signals.wait(poll);
    if (leave_by_) poll.at(*leave_by_);
}

void Departure::look_after_draining() {
    if (!parts_.draining.under_way()) return;
    const auto &latest = parts_.census.latest();
    if (!parts_.draining.over(boot_now(), parts_.node.serving().serves_nothing(), latest)) return;
    const std::string left = latest ? std::to_string(latest->total()) : "unknown";
    log::info("agent: drained (node=" + parts_.in_force.self.name + " connections=" + left + ")");
    if (parts_.draining.then() == Draining::Then::leave) return leave();
    parts_.execution.drained();
}

void Departure::obey_signals() {
    while (const int signal = parts_.signals.next()) {
        if (signal == SIGHUP) continue; // a terminal that closes does not end a server
        if (signal == SIGUSR2) {
            log::info("agent: ends and leaves everything in place (node=" +
                      parts_.in_force.self.name + ")");
            std::_Exit(0); // no destructor: links, tables and addresses wait for the successor
        }
        end();
    }
}

void Departure::end() {
    const Config &config = parts_.in_force.config;
    Draining &draining = parts_.draining;
    parts_.execution.set_ending();
    const bool again = draining.under_way() && draining.then() == Draining::Then::leave;
    const auto withdrawal = config.announce.value_or(0ms); // routers hear first that nothing more is to come
    const auto most = std::max(config.drain, withdrawal);
    if (leave_by_ || again || most == 0ms) return leave();
    const Time now = boot_now();
    draining.begin(Draining::Then::leave, now + most, now + withdrawal);
    parts_.service_manager.stopping(most + config.dead_after + kSpare);
    log::info("agent: drains, then leaves (node=" + parts_.in_force.self.name +
              " drain_ms=" + std::to_string(config.drain.count()) + ")");
    const NodeState state = parts_.node.status(now).state;
    if (state != NodeState::stopped && state != NodeState::suspended)
        parts_.node.step(now, heartbeat::event::Drain{});
}

// The first time in an orderly way.
void Departure::leave() {
    const Config &config = parts_.in_force.config;
    const Time now = boot_now();
    const bool again = leave_by_.has_value();
    leave_by_ = again ? now : now + config.dead_after + 1s;
    if (again) return;
    parts_.service_manager.stopping(config.dead_after + kSpare);
    parts_.execution.set_ending();
    parts_.draining.cancel();
    log::info("agent: leaves (node=" + parts_.in_force.self.name + ")");
    parts_.node.step(now, heartbeat::event::Leave{});
}

void Departure::leave_because(const std::string &why) {
    if (!failure_.empty()) return;
    failure_ = why;
    if (!leave_by_) leave();
}

bool Departure::over(Time now) const {
    return leave_by_ && (now >= *leave_by_ || parts_.node.gone(now));
}

} // namespace agent
