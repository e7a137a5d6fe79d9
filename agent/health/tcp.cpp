// SPDX-License-Identifier: Apache-2.0
#include "agent/health/tcp.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace agent {
namespace {

constexpr std::array kLacks = {EMFILE, ENFILE, ENOMEM, ENOBUFS, EAGAIN};

} // namespace

bool TcpCheck::begin() {
    dial_.begin();
    return true;
}

std::optional<Finding> TcpCheck::handle() {
    const Dialing state = dial_.handle();
    if (state == Dialing::under_way) return std::nullopt;
    dial_.close();
    return Finding{state == Dialing::connected, dial_.why()};
}

void TcpCheck::wait(Poll &poll) const { poll.write(dial_.descriptor()); }

void Dial::begin() {
    const SocketAddress to(to_);
    why_.clear();
    socket_ =
        filter::Descriptor(socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_) return fail_to_begin("open a socket", errno);
    if (connect(socket_.get(), to.get(), to.size()) != 0 && errno != EINPROGRESS)
        fail_to_begin("connect to " + end(), errno);
}

void Dial::fail_to_begin(const std::string &what, int error) {
    fail(what, error);
    if (std::ranges::count(kLacks, error)) throw std::runtime_error(why_);
}

Dialing Dial::handle() {
    if (!socket_) return Dialing::failed;
    pollfd ready{socket_.get(), POLLOUT, 0};
    if (poll(&ready, 1, 0) <= 0) return Dialing::under_way;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return Dialing::connected;
    fail("connect to " + end(), error);
    return Dialing::failed;
}

void Dial::fail(const std::string &what, int error) {
    why_ = what + ": " + std::generic_category().message(error);
    close();
}

} // namespace agent
