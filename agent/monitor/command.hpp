// SPDX-License-Identifier: Apache-2.0
//
// One run of a health check's command. No shell reads it. It runs as its user, without privileges or a way to gain any, in
// a process group of its own, with an empty standard input; it is killed with all its children on kill() and when the
// monitor ends. Precondition: this process has one thread and ignores SIGPIPE.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/host/user.hpp"
#include "filter/descriptor.hpp"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace agent {

class Command {
  public:
    struct Result {
        bool succeeded = false; // exit code 0
        std::string reason;     // why not: how it ended, and the last line that it printed
    };

    // rule: the command gets it as NLB_RULE. Throws.
    Command(std::vector<std::string> command, const std::string &rule, const User &account);
    ~Command();
    Command(const Command &) = delete;
    Command &operator=(const Command &) = delete;

    std::optional<Result> result(); // once, when it has ended
    void kill();
    void wait(Poll &poll) const;

  private:
    void read_output();
    Result describe(int status) const;

    std::vector<std::string> command_;
    pid_t child_ = 0; // 0: it has been buried
    filter::Descriptor process_, output_;
    std::string said_; // the end of what it printed
};

} // namespace agent
