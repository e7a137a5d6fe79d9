// SPDX-License-Identifier: Apache-2.0
//
// Type "exec": a command says by its exit code whether the service works (0: it does); the last
// line that it prints is the reason. The monitor runs it, as a user that is neither root nor the agent's own.
#pragma once

#include "agent/health/check.hpp"
#include "agent/monitor/monitor.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agent {

class ExecCheck final : public HealthCheck {
  public:
    // rule: the command gets it as NLB_RULE.
    ExecCheck(const HealthConfig &wanted, const std::string &rule, std::shared_ptr<Monitor> monitor);
    ~ExecCheck() override;

    bool begin() override;
    std::optional<CheckResult> handle() override;
    void abort() override;
    void wait(Poll &poll) const override;

  private:
    std::string rule_, user_;
    std::vector<std::string> command_;
    std::shared_ptr<Monitor> monitor_;
    std::optional<Monitor::Run> run_; // under way
    bool aborted_ = false;
};

} // namespace agent
