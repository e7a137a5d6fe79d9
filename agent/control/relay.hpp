// SPDX-License-Identifier: Apache-2.0
//
// Commands for other nodes: the agent asks theirs over TCP, all at once, and combines the answers.
// A node that does not answer in time is reported by name; nothing in here waits.
//
// The local agent connects, not nlbctl: the key stays in one process, nlbctl needs only the local socket
// and runs in any network and mount namespace, and the agent knows where
// the others are: a node's address is where its last beat came from, IPv4 or IPv6; for a node
// that was never heard, the configuration has it.
//
// The connection is CurveZMQ: the other side proves that it holds the cluster's key before any data
// is sent, and this side proves the same to it.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/config/in_force.hpp"
#include "agent/control/commands.hpp"
#include "heartbeat/transport.hpp"
#include "heartbeat/types.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agent {

class Replies;

class Relay {
  public:
    // in_force, commands: outlive the Relay.
    Relay(const InForce &in_force, Commands &commands, std::function<heartbeat::Time()> now);
    ~Relay();

    // Another key is in use: for commands from now on; those under way go on with the former one.
    void configure(const InForce &in_force);
    // A beat of this node has come from there.
    void heard(heartbeat::NodeId node, const heartbeat::Transport::Sender &from);

    // For Commands::set_elsewhere. The result: {"nodes": [{"id", "name", "ok", and "result", or
    // "code" and "error"}]}. Code "no_answer": whether it was done is unknown. Throws Denied
    // when there is no such node.
    Commands::Later ask(const std::string &node, const std::string &command,
                        const Commands::Arguments &args, const std::string &by);

    void wait(Poll &poll) const; // edge-triggered

    static constexpr heartbeat::Duration kPatience = std::chrono::seconds(7);
    // With a node that sends no beats: perhaps it is only they that do not come through.
    static constexpr heartbeat::Duration kSilentPatience = std::chrono::seconds(1);

  private:
    struct Heard {
        heartbeat::Transport::Sender from{};
        heartbeat::Time at{};
    };
    struct Sockets;

    std::vector<const NodeConfig *> chosen(const std::string &node) const;
    std::optional<Heard> where_is(const NodeConfig &node) const;
    void call(Replies &replies, const NodeConfig &node, const std::string &request);
    void connect(Replies &replies, const NodeConfig &node,
                 const heartbeat::Transport::Sender &where);
    void forget_done();

    const InForce &in_force_;
    Commands &commands_;
    std::function<heartbeat::Time()> now_;
    CurveKeys listener_, caller_;
    std::unique_ptr<Sockets> sockets_;
    std::vector<std::weak_ptr<Replies>> waiting_;
    std::array<std::optional<Heard>, heartbeat::kMaxNodes + 1> heard_;
};

} // namespace agent
