// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "agent/control/requests.hpp"

namespace agent {
namespace {

constexpr std::int64_t kMaxMessage = 256 * 1024;
constexpr int kWaiting = 16; // messages to or from one client before ZeroMQ drops or holds back
constexpr int kRequestsATurn = 8; // beats come first: a busy client waits for the next turn
constexpr std::size_t kOpen = 64; // requests without a reply; the next ones wait in the socket

} // namespace

ControlRequests::ControlRequests(zmq::socket_t &router) : router_(router) {
    router_.set(zmq::sockopt::maxmsgsize, kMaxMessage);
    router_.set(zmq::sockopt::rcvhwm, kWaiting);
    router_.set(zmq::sockopt::sndhwm, kWaiting);
    router_.set(zmq::sockopt::linger, 0);
}

bool ControlRequests::serve(Commands &commands) {
    const bool more = take_in(commands);
    send_replies();
    return more;
}

bool ControlRequests::take_in(Commands &commands) {
    for (int taken = 0; taken < kRequestsATurn; ++taken) {
        if (open_.size() >= kOpen) return false;
        zmq::message_t client, frame;
        if (!router_.recv(client, zmq::recv_flags::dontwait)) return false;
        std::string request;
        for (bool more = client.more(); more; more = frame.more()) {
            if (!router_.recv(frame, zmq::recv_flags::dontwait)) break;
            request.append(frame.to_string_view());
        }
        open_.push_back({client.to_string(), commands.begin(request)});
    }
    return true;
}

// A ROUTER silently drops a reply to a client that has gone in the meantime.
void ControlRequests::send_replies() {
    std::erase_if(open_, [this](const Open &open) {
        const auto reply = open.reply();
        if (!reply) return false;
        constexpr auto kMore = zmq::send_flags::sndmore | zmq::send_flags::dontwait;
        router_.send(zmq::buffer(open.client), kMore);
        router_.send(zmq::message_t(), kMore);
        router_.send(zmq::buffer(*reply), zmq::send_flags::dontwait);
        ++answered_;
        return true;
    });
}

} // namespace agent
