// SPDX-License-Identifier: Apache-2.0
//
// What the loop waits for: every part names its descriptors and the moment at which it has something
// to do, and the loop sleeps until the first of all of these.
#pragma once

#include "heartbeat/types.hpp"

#include <poll.h>

#include <algorithm>
#include <vector>

namespace agent {

class Poll {
  public:
    explicit Poll(heartbeat::Time now) : now_(now) {}

    void read(int fd) { waiting_.push_back({fd, POLLIN, 0}); } // -1: there is none
    void write(int fd) { waiting_.push_back({fd, POLLOUT, 0}); }
    void at(heartbeat::Time time) { until_ = std::min(until_, time); } // at the latest
    // Of parts with a verb `void wait(Poll &) const`.
    template <class... Part>
    void ask(const Part &...parts) {
        (parts.wait(*this), ...);
    }

    heartbeat::Time now() const { return now_; }
    heartbeat::Time until() const { return until_; }

    void sleep() {
        using namespace std::chrono_literals;
        const heartbeat::Time left = std::max(heartbeat::Time{0}, until_ - now_);
        const timespec timeout{left / 1s, (left % 1s).count()};
        ppoll(waiting_.data(), waiting_.size(), &timeout, nullptr);
    }

    // After sleep(): no other descriptor can be read, or written to.
    bool only(const std::vector<int> &descriptors) const {
        return std::ranges::all_of(waiting_, [&](const pollfd &one) {
            return one.revents == 0 || std::ranges::count(descriptors, one.fd) > 0;
        });
    }

  private:
    heartbeat::Time now_, until_ = heartbeat::kNever;
    std::vector<pollfd> waiting_;
};

} // namespace agent
