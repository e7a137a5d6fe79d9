// SPDX-License-Identifier: Apache-2.0
//
// One way to examine a service, in the agent's loop: nothing in here ever waits. The caller keeps
// the times (health.hpp).
#pragma once

#include "agent/base/poll.hpp"
#include "agent/config/config.hpp"
#include "agent/health/state.hpp"

#include <memory>
#include <optional>
#include <poll.h>
#include <vector>

namespace agent {

class Monitor;

class HealthCheck {
  public:
    virtual ~HealthCheck() = default; // whatever is under way is given up

    // Begins an examination. False: the last one has not ended yet. Throws, `open a socket: Too
    // many open files`, when it is the agent that lacks something: that says nothing about the
    // service.
    virtual bool begin() = 0;
    // Call on every turn: the result, once an examination. What comes after abort() is none.
    virtual std::optional<CheckResult> handle() = 0;
    // Its time is up: there will be no result.
    virtual void abort() = 0;
    virtual void wait(Poll &poll) const = 0; // when one of these is ready, call handle()
};

using HealthChecks = std::vector<std::unique_ptr<HealthCheck>>;

// The check of each rule, as configured; null where the rule needs no check of its own.
HealthChecks make_health_checks(const Config &config, const std::shared_ptr<Monitor> &monitor);

} // namespace agent
