// SPDX-License-Identifier: Apache-2.0
// Signals to a command that runs until it is told to stop: as readable events, so that none comes in
// the middle of drawing or writing. As they were again at the end.
#pragma once

#include "filter/descriptor.hpp"

#include <csignal>
#include <initializer_list>

namespace agent {

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
