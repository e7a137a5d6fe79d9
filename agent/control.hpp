// SPDX-License-Identifier: Apache-2.0
//
// The agent's end of the control socket, `ipc://RUN_DIR/control`: requests in, one reply each, root
// only. A ROUTER and not a REP: a REP that has taken a request must answer it before it can take
// the next, so that one client which vanishes in between, or one command that takes its time, could
// hold up all others. Nothing in here ever waits.
#pragma once

#include "agent/commands.hpp"

#include <memory>
#include <string>

namespace agent {

inline constexpr const char *kDefaultRunDir = "/run/nlb";

// Where the agent of a run dir listens. Throws when the path is too long for a socket, naming the
// run dir.
std::string control_path(const std::string &run_dir);

class Control {
  public:
    explicit Control(const std::string &run_dir); // throws
    ~Control();                                   // removes the socket's file
    Control(const Control &) = delete;
    Control &operator=(const Control &) = delete;

    // For poll. ZeroMQ's descriptor is edge-triggered: call serve() on every turn, woken or not.
    int descriptor() const;
    // Takes in what is waiting, a few requests at most, and replies to what is done. True: more may
    // be waiting, do not sleep.
    bool serve(Commands &commands);

  private:
    struct Sockets;
    std::string path_;
    std::unique_ptr<Sockets> sockets_;
};

} // namespace agent
