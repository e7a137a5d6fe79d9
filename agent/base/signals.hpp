// SPDX-License-Identifier: Apache-2.0
// Signals as events of the loop: blocked from now on, in this thread and in those that it starts,
// and read.
#pragma once

#include "filter/descriptor.hpp"

#include <optional>

namespace agent {

enum class Signal {
    leave,  // SIGTERM, SIGINT: out of the cluster, then clean up and end
    vanish, // SIGUSR2: end at once, leave everything in place for a successor
};

class Signals {
  public:
    Signals(); // throws

    int descriptor() const { return descriptor_.get(); }
    std::optional<Signal> next(); // nothing: none is waiting

  private:
    filter::Descriptor descriptor_;
};

} // namespace agent
