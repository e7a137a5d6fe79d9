// SPDX-License-Identifier: Apache-2.0
// Signals as events of the loop: blocked from now on, in this thread and in those that it starts,
// and read.
#pragma once

#include "agent/base/poll.hpp"
#include "filter/descriptor.hpp"

#include <csignal>
#include <initializer_list>
#include <optional>

namespace agent {

enum class Signal {
    leave,  // SIGTERM, SIGINT: out of the cluster, then clean up and end
    vanish, // SIGUSR2: end at once, leave everything in place for a successor
};

class Signals {
  public:
    Signals(); // throws

    void wait(Poll &poll) const { poll.read(descriptor_.get()); }
    std::optional<Signal> next(); // nothing: none is waiting

  private:
    filter::Descriptor descriptor_;
};

// Signals to a command that runs until it is told to stop: as readable events, so that none comes in
// the middle of drawing or writing. As they were again at the end.
class SignalEvents {
  public:
    explicit SignalEvents(std::initializer_list<int> signals); // throws
    ~SignalEvents();
    SignalEvents(const SignalEvents &) = delete;
    SignalEvents &operator=(const SignalEvents &) = delete;

    int descriptor() const { return descriptor_.get(); }
    int next(); // 0: none is waiting

  private:
    sigset_t before_{};
    filter::Descriptor descriptor_;
};

} // namespace agent
