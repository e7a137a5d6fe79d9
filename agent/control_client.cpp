// SPDX-License-Identifier: Apache-2.0
//
// ZeroMQ connects in the background and tries for ever, which is right for a service and wrong for
// a command: so a plain connection is tried first, which says at once whether anybody listens and
// whether we may talk.
#include "agent/control_client.hpp"

#include "agent/control.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.hpp>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace agent {
namespace {

void knock(const std::string &run_dir, const std::string &path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) throw std::runtime_error("open socket: " + std::generic_category().message(errno));
    const int result = connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address);
    const int error = result == 0 ? 0 : errno;
    close(fd);
    if (error == 0 || error == EAGAIN) return;
    if (error == EACCES || error == EPERM)
        throw std::runtime_error("open " + path + ": " + std::generic_category().message(error) +
                                 "; run it as root");
    const std::string where = run_dir == kDefaultRunDir ? "" : " --run-dir " + run_dir;
    throw NoAgent("no agent answers in " + run_dir + "; start one with: nlbd --config FILE" +
                  where);
}

} // namespace

std::string ask(const std::string &run_dir, const std::string &request,
                std::chrono::milliseconds patience) {
    const std::string path = control_path(run_dir);
    knock(run_dir, path);
    zmq::context_t context{1};
    zmq::socket_t socket{context, zmq::socket_type::req};
    const int timeout = static_cast<int>(patience.count());
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::rcvtimeo, timeout);
    socket.set(zmq::sockopt::sndtimeo, timeout);
    socket.connect("ipc://" + path);
    zmq::message_t reply;
    if (!socket.send(zmq::buffer(request)) || !socket.recv(reply))
        throw NoAgent("no agent answers in " + run_dir +
                      ": one listens there, but does not reply; see " + "whether it is stopped");
    return reply.to_string();
}

} // namespace agent
