// SPDX-License-Identifier: Apache-2.0
// A ROUTER on a unix socket that is root's alone.
#include "agent/control.hpp"

#include "agent/control_requests.hpp"

#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <stdexcept>

namespace agent {

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
    ControlRequests requests{router};
};

Control::Control(const std::string &run_dir)
    : path_(control_path(run_dir)), sockets_(std::make_unique<Sockets>()) {
    const mode_t before = umask(0177); // from its first moment the socket is root's alone
    try {
        sockets_->router.bind("ipc://" + path_);
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

bool Control::serve(Commands &commands) { return sockets_->requests.serve(commands); }

} // namespace agent
