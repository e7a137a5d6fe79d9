// SPDX-License-Identifier: Apache-2.0
//
// What comes in on a ROUTER, and the replies that are still to be sent. A request arrives as
// [client][empty frame][JSON], which is what a REQ socket sends. Anything else that carries a
// client's name is answered as well, so that its sender learns that it was wrong. ZeroMQ
// itself closes a connection that does not speak its protocol or sends more than kMaxMessage.
#pragma once

#include "agent/control/commands.hpp"

#include <cstdint>
#include <vector>
#include <zmq.hpp>

namespace agent {

class ControlRequests {
  public:
    explicit ControlRequests(zmq::socket_t &router); // bounds its queues; it outlives this object

    // Takes in a few requests and sends the replies that are ready. True: more may be waiting, do
    // not sleep.
    bool serve(Commands &commands);

    bool idle() const { return open_.empty(); }
    std::uint64_t answered() const { return answered_; }

  private:
    struct Open {
        std::string client;
        Commands::Reply reply;
    };
    bool take_in(Commands &commands);
    void send_replies();

    zmq::socket_t &router_;
    std::vector<Open> open_;
    std::uint64_t answered_ = 0;
};

} // namespace agent
