// SPDX-License-Identifier: Apache-2.0
//
// A request arrives as [client][empty frame][JSON], which is what a REQ socket sends. Anything else
// that carries a client's name is answered all the same, so that whoever sent it learns that it was
// wrong. ZeroMQ itself closes a connection that does not speak its protocol or sends more than
// kMaxMessage.
#include "agent/control.hpp"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.hpp>

#include <cstdint>
#include <stdexcept>
#include <system_error>

namespace agent {
namespace {

constexpr std::int64_t kMaxMessage = 64 * 1024;
constexpr int kWaiting = 16; // messages to or from one client before ZeroMQ drops or holds back
constexpr int kRequestsATurn = 8; // beats come first: a busy client waits for the next turn

} // namespace

std::string control_path(const std::string &run_dir) {
    std::string path = run_dir + "/control";
    constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
    if (path.size() > kLongest)
        throw std::runtime_error("use run dir " + run_dir +
                                 ": the path of its control socket would be longer "
                                 "than " +
                                 std::to_string(kLongest) + " bytes; choose a shorter --run-dir");
    return path;
}

struct Control::Sockets {
    zmq::context_t context{1};
    zmq::socket_t router{context, zmq::socket_type::router};
};

Control::Control(const std::string &run_dir)
    : path_(control_path(run_dir)), sockets_(std::make_unique<Sockets>()) {
    zmq::socket_t &router = sockets_->router;
    router.set(zmq::sockopt::maxmsgsize, kMaxMessage);
    router.set(zmq::sockopt::rcvhwm, kWaiting);
    router.set(zmq::sockopt::sndhwm, kWaiting);
    router.set(zmq::sockopt::linger, 0);
    const mode_t before = umask(0177); // from its first moment the socket is root's alone
    try {
        router.bind("ipc://" + path_);
    } catch (const zmq::error_t &error) {
        umask(before);
        throw std::runtime_error("bind " + path_ + ": " + error.what());
    }
    umask(before);
}

Control::~Control() {
    sockets_.reset();
    unlink(path_.c_str());
}

int Control::descriptor() const { return sockets_->router.get(zmq::sockopt::fd); }

bool Control::serve(const Answer &answer) {
    zmq::socket_t &router = sockets_->router;
    for (int served = 0; served < kRequestsATurn; ++served) {
        zmq::message_t client, frame;
        if (!router.recv(client, zmq::recv_flags::dontwait)) return false;
        std::string request;
        for (bool more = client.more(); more; more = frame.more()) {
            if (!router.recv(frame, zmq::recv_flags::dontwait)) break;
            request.append(frame.to_string_view());
        }
        const std::string reply = answer(request);
        router.send(client, zmq::send_flags::sndmore | zmq::send_flags::dontwait);
        router.send(zmq::message_t(), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
        router.send(zmq::buffer(reply), zmq::send_flags::dontwait);
    }
    return true;
}

} // namespace agent
