// SPDX-License-Identifier: Apache-2.0
#include "agent/node/reach.hpp"

namespace agent {

void Reach::look(heartbeat::Time now, const Interfaces &interfaces, const Hearing &hearing) {
    seen_ = interfaces;
    if (seen_ != Interfaces{}) listens_until_ = now + dead_after_;
    listens_ = now < listens_until_ && !hearing.hears_any(now);
    auto path = seen_.linked && judges_paths_ ? hearing.dead_path(now) : std::nullopt;
    if (!path) path_dead_since_.reset();
    if (path && !path_dead_since_) path_dead_since_ = now;
    const bool known = path && now - *path_dead_since_ >= dead_after_ / 2;
    dead_path_ = known ? std::move(path) : std::nullopt;
}

bool Reach::complete() const { return seen_ == Interfaces{} && !listens_ && !dead_path_; }

} // namespace agent
