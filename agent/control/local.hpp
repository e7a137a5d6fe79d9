// SPDX-License-Identifier: Apache-2.0
//
// The agent's end of the control socket, RUN_DIR/control: a unix stream socket, root's alone. A
// client sends its request, says that this was all (shutdown), reads the reply to its end: nothing
// to frame, and no length that could be wrong. Nothing in here ever waits: a client that vanishes,
// is slow, or has asked for something that takes time delays no other client.
//
// ZeroMQ, which carries commands between nodes, is not used here: its ipc transport ends the process
// that accepts a connection when it has no descriptor left for it (libzmq 4.3.4, ipc_listener.cpp).
// Here one descriptor is held in reserve, so that an administrator can ask even then.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/control/commands.hpp"
#include "filter/descriptor.hpp"
#include "heartbeat/types.hpp"

#include <poll.h>

#include <string>
#include <vector>

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

    void wait(Poll &poll) const;
    // Accepts waiting clients, a few at most, and replies to finished requests. Call on
    // every turn, woken or not.
    void serve(Commands &commands);

    static constexpr std::size_t kMostClients = 64; // the next ones wait in the kernel
    static constexpr heartbeat::Duration kPatience = std::chrono::seconds(5); // to send or to read

  private:
    struct Client {
        filter::Descriptor socket;
        heartbeat::Time until{};
        std::string request;
        Commands::Reply reply; // none: the request is not complete
        std::string left;      // of the reply, still to be sent
        bool replied = false;
        bool done = false;
    };
    void accept_some();
    int accept_one();
    void attend(Client &client, Commands &commands);
    void read(Client &client, Commands &commands);
    void send(Client &client);

    std::string path_;
    filter::Descriptor listener_, spare_;
    heartbeat::Time accept_at_{}; // not before, when there were no descriptors
    std::vector<Client> clients_;
};

} // namespace agent
