// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "agent/node/draining.hpp"

#include <algorithm>

namespace agent {

void Draining::begin(Then then, std::optional<heartbeat::Time> until, heartbeat::Time not_before) {
    under_way_ = true;
    if (then == Then::leave) then_ = then;
    if (until) until_ = *until;
    not_before_ = std::max(not_before_, not_before);
}

bool Draining::over(heartbeat::Time now, bool serves_nothing, const std::optional<Census> &latest) {
    if (!under_way_) return false;
    if (!serves_nothing)
        closed_.reset();
    else if (!closed_)
        closed_ = now;
    const bool drained =
        closed_ && latest && latest->begun >= *closed_ + kHandshake && latest->total() == 0;
    if (now < not_before_ || (!drained && now < until_)) return false;
    under_way_ = false;
    return true;
}

} // namespace agent
