// SPDX-License-Identifier: Apache-2.0
//
// Type "exec": a command says by its exit code whether the service works (0: it does); the last
// line that it prints is the reason. No shell reads the command.
//
// It runs as `user`, which is neither root nor the agent's own, without privileges or a way to gain any, in a
// process group of its own, with an empty standard input, and is killed with all its children when its time is up, and also when the
// agent dies. Plain fork and exec: with vfork, or posix_spawn, which is built on it, the agent would
// stand still until the child, an ordinary process among many, has been given a processor and has
// read the program from disk. Copying the agent's page tables takes a fraction of a millisecond.
#pragma once

#include "agent/health/check.hpp"
#include "agent/health/reaper.hpp"
#include "agent/host/user.hpp"
#include "filter/descriptor.hpp"

#include <string>
#include <sys/types.h>

namespace agent {

class ExecCheck final : public HealthCheck {
  public:
    // rule: told to the command as NLB_RULE. Looks up the user, which may wait, and for good: the
    // next reload looks again.
    ExecCheck(const HealthConfig &wanted, const std::string &rule);
    ~ExecCheck() override;

    bool begin() override;
    std::optional<CheckResult> handle() override;
    void abort() override;
    void wait(Poll &poll) const override;

  private:
    std::string why_unusable(const std::string &name); // empty: it is account_
    void read_output();
    bool reap(int &status);
    CheckResult result(int status);

    std::vector<std::string> command_, environment_;
    User account_;
    std::string unusable_; // why the account is
    Reaper &reaper_;
    pid_t child_ = 0; // 0: none
    filter::Descriptor process_, output_;
    std::string said_; // the end of what it printed
    bool aborted_ = false;
};

} // namespace agent
