// SPDX-License-Identifier: Apache-2.0
//
// One ROUTER for each command: ZeroMQ connects it to all nodes in the background, under names that
// we choose, and brings their replies to one place. It is closed when the command is done, and the
// connections with it: commands are rare, and a connection that is not kept cannot be lost.
#include "agent/control/relay.hpp"

#include "agent/control/replies.hpp"
#include "filter/descriptor.hpp"

#include <algorithm>

namespace agent {
namespace {

using heartbeat::Time;

constexpr std::size_t kMostWaiting = 8; // commands for other nodes under way
constexpr std::int64_t kMaxMessage = 1024 * 1024;
constexpr unsigned kForACall = 32; // descriptors, at most
constexpr int kReconnect = 200; // ms; a node may be about to start

// tcp://192.0.2.1:7778 or, a link-local address being one of an interface's, tcp://[fe80::1%3]:7778
std::string endpoint(const heartbeat::Transport::Sender &where, std::uint16_t port) {
    using Family = filter::IpAddress::Family;
    const filter::IpAddress address{where.v6 ? Family::v6 : Family::v4, where.address};
    std::string host = filter::to_string(address);
    if (where.scope != 0) host += "%" + std::to_string(where.scope);
    if (where.v6) host = "[" + host + "]";
    return "tcp://" + host + ":" + std::to_string(port);
}

} // namespace

struct Relay::Sockets {
    zmq::context_t context{1};
};

Relay::Relay(const InForce &in_force, Commands &commands, std::function<Time()> now)
    : in_force_(in_force), commands_(commands), now_(std::move(now)) {
    configure(in_force);
}

Relay::~Relay() {
    for (const auto &replies : waiting_) // its socket would keep the context from ending
        if (const auto alive = replies.lock()) alive->close();
}

void Relay::configure(const InForce &in_force) {
    listener_ = listener_keys(in_force.keys.in_use);
    caller_ = caller_keys(in_force.keys.in_use);
}

void Relay::heard(heartbeat::NodeId node, const heartbeat::Transport::Sender &from) {
    heard_[heartbeat::index(node)] = {from, now_()};
}

std::vector<const NodeConfig *> Relay::chosen(const std::string &node) const {
    if (node.empty()) return {&in_force_.self};
    std::vector<const NodeConfig *> nodes;
    for (const NodeConfig &one : in_force_.config.nodes)
        if (node == "all" || node == one.name || node == std::to_string(one.id))
            nodes.push_back(&one);
    if (nodes.empty())
        throw Denied(node + ": no such node in cluster " + in_force_.config.cluster_name);
    return nodes;
}

Commands::Later Relay::ask(const std::string &node, const std::string &command,
                           const Commands::Arguments &args, const std::string &by) {
    const std::string by_here = by + " on " + in_force_.self.name;
    const auto nodes = chosen(node);
    forget_done();
    auto replies = std::make_shared<Replies>(now_);
    const std::string request = Json{{"command", command}, {"args", args}, {"by", by_here}}.dump(
        -1, ' ', false, Json::error_handler_t::replace);
    for (const NodeConfig *one : nodes) {
        if (one->id == in_force_.self.id)
            replies->add_here(*one, commands_.run(command, args, by_here));
        else
            call(*replies, *one, request);
    }
    if (replies->descriptor() >= 0) waiting_.push_back(replies);
    return [replies] { return replies->ask(); };
}

// A node that was never heard may still be where the configuration says.
std::optional<Relay::Heard> Relay::where_is(const NodeConfig &node) const {
    if (heard_[node.id] || node.addresses.empty()) return heard_[node.id];
    const filter::IpAddress &address = node.addresses.front();
    return Heard{{address.bytes, 0, !address.is_v4()}, {}};
}

void Relay::call(Replies &replies, const NodeConfig &node, const std::string &request) {
    const auto where = where_is(node);
    if (!where)
        return replies.add_lost(node,
                                  "never heard by " + in_force_.self.name + ", so its address is not known");
    if (waiting_.size() >= kMostWaiting)
        throw Failed("too many commands for other nodes at once; try again");
    // ZeroMQ ends the process when it has none left for a context's threads.
    if (!filter::descriptors_left(kForACall))
        return replies.add_lost(node, "no file descriptors are left on " + in_force_.self.name);
    if (!sockets_) sockets_ = std::make_unique<Sockets>();
    try {
        connect(replies, node, where->from);
        replies.send(node, request);
    } catch (const zmq::error_t &error) {
        return replies.add_lost(node, error.what());
    }
    const bool silent = now_() - where->at >= in_force_.config.dead_after;
    replies.add_there(node, silent ? kSilentPatience : kPatience);
}

void Relay::connect(Replies &replies, const NodeConfig &node,
                    const heartbeat::Transport::Sender &where) {
    zmq::socket_t &router = replies.router(sockets_->context);
    router.set(zmq::sockopt::linger, 0);
    router.set(zmq::sockopt::router_mandatory, true); // a node that cannot be sent to is an error
    router.set(zmq::sockopt::maxmsgsize, kMaxMessage);
    router.set(zmq::sockopt::reconnect_ivl, kReconnect);
    router.set(zmq::sockopt::curve_serverkey, zmq::buffer(listener_.open));
    router.set(zmq::sockopt::curve_publickey, zmq::buffer(caller_.open));
    router.set(zmq::sockopt::curve_secretkey, zmq::buffer(caller_.secret));
    router.set(zmq::sockopt::connect_routing_id, node.name);
    router.set(zmq::sockopt::ipv6, where.v6);
    router.connect(endpoint(where, in_force_.config.control_port));
}

void Relay::forget_done() {
    std::erase_if(waiting_, [](const auto &replies) {
        const auto alive = replies.lock();
        return !alive || alive->descriptor() < 0;
    });
}

void Relay::wait(Poll &poll) const {
    for (const auto &replies : waiting_)
        if (const auto alive = replies.lock()) {
            poll.read(alive->descriptor());
            poll.at(alive->deadline());
        }
}

} // namespace agent
