// SPDX-License-Identifier: Apache-2.0
// Signals as events of the loop: blocked from now on, in this thread and in those that it starts,
// and read.
#pragma once

#include <optional>

namespace agent {

enum class Signal {
    leave,  // SIGTERM, SIGINT: out of the cluster, then clean up and end
    vanish, // SIGUSR2: end at once, leave everything in place for a successor
};

class Signals {
  public:
    Signals(); // throws
    ~Signals();
    Signals(const Signals &) = delete;
    Signals &operator=(const Signals &) = delete;

    int descriptor() const { return descriptor_; }
    std::optional<Signal> next(); // nothing: none is waiting

  private:
    int descriptor_;
};

} // namespace agent
