// SPDX-License-Identifier: Apache-2.0
#include "agent/health/state.hpp"

#include <algorithm>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Duration;
using heartbeat::Time;

constexpr unsigned kFree = 3; // falls that cost nothing
constexpr Duration kForget = 1min, kLongest = 1min;

Duration hold(unsigned falls) {
    if (falls <= kFree) return {};
    return std::min<Duration>(kLongest, 1s * (1 << std::min(falls - kFree - 1, 6u)));
}

} // namespace

void HealthState::take(Time now, const CheckResult &finding) {
    works_ = finding.works;
    if (!works_) reason_ = finding.reason;
    if (!known_) {
        known_ = true;
        if (healthy_ && !works_) fell_at_ = now;
        healthy_ = works_;
        return;
    }
    in_a_row_ = works_ == healthy_ ? 0 : in_a_row_ + 1;
    if (healthy_ && in_a_row_ >= fall_) return fall(now);
    if (healthy_ || in_a_row_ < rise_ || now < held_until_) return;
    healthy_ = true;
    in_a_row_ = 0;
}

void HealthState::fall(Time now) {
    healthy_ = false;
    in_a_row_ = 0;
    falls_ = falls(now) + 1;
    fell_at_ = now;
    held_until_ = now + hold(falls_);
}

void HealthState::release(Time now) {
    held_until_ = std::min(held_until_, now);
    if (!works_ || healthy_ || in_a_row_ < rise_) return;
    healthy_ = true;
    in_a_row_ = 0;
}

Duration HealthState::hold_left(Time now) const {
    return held(now) ? held_until_ - now : Duration{};
}

unsigned HealthState::falls(Time now) const {
    const auto forgotten = (now - fell_at_) / kForget;
    return static_cast<unsigned>(std::max<std::int64_t>(0, std::int64_t{falls_} - forgotten));
}

std::string HealthState::reason(Time now) const {
    if (healthy_) return "";
    if (!works_) return reason_;
    if (!held(now)) return "works again, but not for long enough yet";
    const auto left = std::chrono::ceil<std::chrono::seconds>(hold_left(now)).count();
    return "works again, held down for " + std::to_string(left) + " s more: it fell " +
           std::to_string(falls_) + " times";
}

} // namespace agent
