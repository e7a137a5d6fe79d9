// SPDX-License-Identifier: Apache-2.0
//
// Work that may have to wait, for a disk or for the user database, in an ordinary thread of its
// own: beats cannot wait. One piece of work at a time; the loop finds its result.
//
// The destructor does not wait for the thread, because a disk may hang for ever: the thread goes on without this
// object. So the two share what they work with, and the work owns whatever it touches.
#pragma once

#include "agent/base/failure.hpp"
#include "filter/descriptor.hpp"

#include <sys/eventfd.h>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>

namespace agent {

template <class Result>
class BackgroundTask {
  public:
    BackgroundTask() // throws
        : done_(std::make_shared<filter::Descriptor>(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))) {
        if (!*done_) fail("open eventfd");
    }

    bool busy() const { return result_.valid(); }

    // Precondition: not busy(). Throws when no thread can be started. The eventfd is written last: the
    // loop that it wakes has real-time priority and must find the result, because this thread may not get to run
    // while the loop looks for it again and again.
    void begin(std::function<Result()> work) {
        std::packaged_task<Result()> task(std::move(work));
        std::future<Result> result = task.get_future();
        std::thread([task = std::move(task), done = done_]() mutable {
            task();
            eventfd_write(done->get(), 1);
        }).detach();
        result_ = std::move(result);
    }

    // Nothing while it is under way; then, once, its result, or what it threw.
    std::optional<Result> finished() {
        eventfd_t count = 0;
        if (!busy() || eventfd_read(done_->get(), &count) != 0) return std::nullopt;
        return result_.get();
    }

    int descriptor() const { return done_->get(); } // for poll: readable when finished() has news

  private:
    std::shared_ptr<filter::Descriptor> done_; // an eventfd
    std::future<Result> result_;               // ready before done_ is
};

} // namespace agent
