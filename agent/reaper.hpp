// SPDX-License-Identifier: Apache-2.0
//
// Buries children that have ended, in an ordinary thread: with the last of a process the kernel
// removes what it had below /proc, and where many look into it, on a busy machine, that was seen to
// take a second. The agent's loop knows the exit code before (waitid with WNOWAIT) and waits for
// nothing.
#pragma once

#include "filter/descriptor.hpp"

#include <memory>
#include <sys/types.h>
#include <thread>

namespace agent {

class Reaper {
  public:
    static std::shared_ptr<Reaper> shared(); // one for all who hold it

    Reaper(); // throws when there is no thread for it
    ~Reaper();
    Reaper(const Reaper &) = delete;
    Reaper &operator=(const Reaper &) = delete;

    void reap(pid_t child); // one that has ended; never waits

  private:
    void run();

    filter::Descriptor orders_, told_; // the ends of a pipe: children's numbers
    std::thread thread_;
};

} // namespace agent
