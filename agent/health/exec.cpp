// SPDX-License-Identifier: Apache-2.0
#include "agent/health/exec.hpp"

namespace agent {

ExecCheck::ExecCheck(const HealthConfig &wanted, const std::string &rule, std::shared_ptr<Monitor> monitor)
    : rule_(rule), user_(wanted.user), command_(wanted.command), monitor_(std::move(monitor)) {}

ExecCheck::~ExecCheck() {
    if (!run_) return;
    monitor_->kill(*run_);
    monitor_->forget(*run_);
}

// A command that hangs in the kernel does not end though it was killed.
bool ExecCheck::begin() {
    handle();
    if (run_) {
        abort();
        return false;
    }
    run_ = monitor_->run(rule_, command_, user_);
    aborted_ = false;
    return true;
}

std::optional<CheckResult> ExecCheck::handle() {
    const auto ended = run_ ? monitor_->ended(*run_) : std::nullopt;
    if (!ended) return std::nullopt;
    run_.reset();
    if (aborted_) return std::nullopt;
    return CheckResult{ended->succeeded, ended->reason};
}

void ExecCheck::abort() {
    if (!run_) return;
    aborted_ = true;
    monitor_->kill(*run_);
}

void ExecCheck::wait(Poll &poll) const { monitor_->wait(poll); }

} // namespace agent
