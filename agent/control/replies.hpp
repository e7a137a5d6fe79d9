// SPDX-License-Identifier: Apache-2.0
// One command at some nodes, this one perhaps among them, until each has replied or its time is up.
#pragma once

#include "agent/config/config.hpp"
#include "agent/control/commands.hpp"
#include "heartbeat/types.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>
#include <zmq.hpp>

namespace agent {

// What another node says to a command: {"ok": true, "result"} or {"ok": false, "code", "error"}.
Json read_reply(const std::string &text);

class Replies {
  public:
    explicit Replies(std::function<heartbeat::Time()> now) : now_(std::move(now)) {}

    void add_here(const NodeConfig &node, Commands::Later command);
    void add_there(const NodeConfig &node, heartbeat::Duration patience); // send() has been called
    void add_lost(const NodeConfig &node, const std::string &why);        // cannot even be asked

    zmq::socket_t &router(zmq::context_t &context); // made when it is first asked for
    // To a node that the router has been connected to under the node's name. Throws zmq::error_t.
    void send(const NodeConfig &node, const std::string &request);
    void close() { router_.reset(); }

    // Nothing, or once {"nodes": [...]}, as Relay::ask says, in the order in which they were added.
    std::optional<Json> ask();
    int descriptor() const { return router_ ? router_->get(zmq::sockopt::fd) : -1; }
    heartbeat::Time deadline() const; // the next one; kNever: none

  private:
    struct Place {
        std::uint8_t id;
        std::string name; // not the NodeConfig: a reload may replace it meanwhile
        std::optional<Json> reply;
        Commands::Later here;
        heartbeat::Time until{};
        heartbeat::Duration patience{};
    };
    void receive();
    void take(std::string_view name, const std::string &reply);
    Json result() const;

    std::function<heartbeat::Time()> now_;
    std::vector<Place> places_;
    std::optional<zmq::socket_t> router_;
};

} // namespace agent
