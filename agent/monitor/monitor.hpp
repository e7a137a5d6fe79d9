// SPDX-License-Identifier: Apache-2.0
//
// Privilege separation, the agent's side. The monitor is a process of its own, made while the agent is root. Of root's
// rights it keeps those to read files and to change user, and uses them for two things only: it opens the configuration
// file and the key file that this one names, and runs the commands of health checks that this file holds. So the agent, which
// parses what strangers send, needs neither right: taken over, it can read no other file and become no other user.
//
// The monitor ends with the agent, and kills what it runs then. It is an ordinary process: starting a command copies its
// pages and waits for a processor, and the agent's loop waits for neither.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/config/config.hpp"
#include "agent/monitor/message.hpp"
#include "filter/descriptor.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace agent {

class Monitor {
  public:
    using Run = std::uint32_t;

    // Starts the process: call as root, before other threads are started. config: in force; later ones are read from its
    // file. user: as whom the agent is going to run; no command runs as that user. Throws.
    Monitor(const Config &config, uid_t user);
    ~Monitor(); // waits a moment for its end: the service manager starts a successor when nothing is left
    Monitor(const Monitor &) = delete;
    Monitor &operator=(const Monitor &) = delete;

    // A file to read, opened by the monitor. Negative, and errno, as of open(2): EACCES also for a file that is neither of
    // the two. Waits, for the disk too: not for the loop. From any thread. Throws when the monitor has ended.
    filter::Descriptor open(const std::string &file);

    // The loop's part. Throws, `ask the monitor: cause; way out`, when the order cannot be given.
    Run run(const std::string &rule, const std::vector<std::string> &command, const std::string &user);
    void kill(Run run); // with all of its group; ended() still reports its end
    std::optional<Ended> ended(Run run); // once
    void forget(Run run); // ended() no longer reports it
    void wait(Poll &poll) const;
    bool gone() const; // it has ended, by accident

  private:
    void listen();

    filter::Descriptor orders_, files_;
    pid_t process_ = 0;
    std::mutex asking_; // one file at a time
    Run last_ = 0;
    std::map<Run, std::optional<Ended>> runs_; // nothing: under way
};

} // namespace agent
