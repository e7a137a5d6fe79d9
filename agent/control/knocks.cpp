// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "agent/control/knocks.hpp"

namespace agent {

using namespace std::chrono_literals;

void Knocks::take(Knock knock, std::uint32_t value, heartbeat::Time now) {
    switch (knock) {
    case Knock::accepted:
        open_.insert(value);
        in_second_ = lately(now) + 1;
        if (now - second_ >= 1s) second_ = now;
        return;
    case Knock::proved:
        ++proved_;
        return;
    case Knock::cut_off:
        ++cut_off_;
        break;
    case Knock::wrong_key:
        ++wrong_key_;
        break;
    case Knock::not_expected:
        ++not_expected_;
        break;
    case Knock::closed:
        open_.erase(value);
        if (!told_) ++silent_;
        told_ = false;
        return;
    }
    told_ = true;
}

std::size_t Knocks::lately(heartbeat::Time now) const {
    return now - second_ >= 1s ? 0 : in_second_;
}

} // namespace agent
