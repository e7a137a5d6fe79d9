// SPDX-License-Identifier: Apache-2.0
//
// Buries children that have ended, in an ordinary thread: with the last of a process the kernel
// removes what it had below /proc, and where many look into it, on a busy machine, that was seen to
// take a second. The agent's loop knows the exit code before (waitid with WNOWAIT) and waits for
// nothing.
#pragma once

#include "filter/descriptor.hpp"

#include <sys/types.h>

namespace agent {

class Reaper {
  public:
    // The process's own, from the first call on, which throws when there is no pipe or no thread
    // for it. It never ends: its thread may be at a burial.
    static Reaper &shared();

    void reap(pid_t child); // one that has ended, or has been killed and will; never waits

  private:
    Reaper();
    void run();

    filter::Descriptor orders_, told_; // the ends of a pipe: children's numbers
};

} // namespace agent
