// SPDX-License-Identifier: Apache-2.0
//
// One way to examine a service, in the agent's loop: nothing in here ever waits. Who calls keeps
// the times (health.hpp).
#pragma once

#include "agent/config.hpp"
#include "agent/health_state.hpp"

#include <memory>
#include <optional>
#include <poll.h>
#include <vector>

namespace agent {

class HealthCheck {
  public:
    virtual ~HealthCheck() = default; // whatever is under way is given up

    // Begins an examination. False: the last one has not ended yet.
    virtual bool begin() = 0;
    // Call on every turn: the result, once. What comes after abort() is none.
    virtual std::optional<Finding> handle() = 0;
    // Its time is up: there will be no result.
    virtual void abort() = 0;
    virtual std::vector<pollfd> descriptors() const = 0; // when one of these is ready, call handle()
};

// The check that the rule's configuration wants; null for those that need none of their own.
std::unique_ptr<HealthCheck> make_health_check(const RuleConfig &rule,
                                               const std::vector<filter::IpAddress> &virtual_ips);

} // namespace agent
