// SPDX-License-Identifier: Apache-2.0
//
// The agent's end of the control socket, `ipc://RUN_DIR/control`: requests in, one reply each, root
// only. A ROUTER and not a REP: a REP that has taken a request must answer it before it can take
// the next, so that one client which vanishes in between could hold up all others. Nothing in here
// ever waits.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace agent {

inline constexpr const char *kDefaultRunDir = "/run/nlb";

// Where the agent of a run dir listens. Throws when the path is too long for a socket, naming the
// run dir.
std::string control_path(const std::string &run_dir);

class Control {
  public:
    // Request -> reply, both JSON text. It may be called with anything.
    using Answer = std::function<std::string(std::string_view request)>;

    explicit Control(const std::string &run_dir); // throws
    ~Control();                                   // removes the socket's file
    Control(const Control &) = delete;
    Control &operator=(const Control &) = delete;

    // For poll. ZeroMQ's descriptor is edge-triggered: call serve() on every turn, woken or not.
    int descriptor() const;
    // Answers what is waiting, a few requests at most. True: more may be waiting, do not sleep.
    bool serve(const Answer &answer);

  private:
    struct Sockets;
    std::string path_;
    std::unique_ptr<Sockets> sockets_;
};

} // namespace agent
