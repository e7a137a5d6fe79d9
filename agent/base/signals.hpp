// SPDX-License-Identifier: Apache-2.0
// Signals as events of a loop: they are blocked from now on, in this thread and in those that it starts, and
// read from a descriptor. So no signal interrupts other work.
#pragma once

#include "agent/base/poll.hpp"
#include "filter/descriptor.hpp"

#include <csignal>
#include <initializer_list>

namespace agent {

class Signals {
  public:
    enum class InTheEnd { still_blocked, as_before };

    explicit Signals(std::initializer_list<int> signals, InTheEnd end = InTheEnd::as_before); // throws
    ~Signals();
    Signals(const Signals &) = delete;
    Signals &operator=(const Signals &) = delete;

    void wait(Poll &poll) const { poll.read(descriptor()); }
    int descriptor() const { return descriptor_.get(); }
    int next(); // 0: none is waiting

  private:
    InTheEnd end_;
    sigset_t before_{};
    filter::Descriptor descriptor_;
};

} // namespace agent
