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
    connector_.begin();
    return true;
}

std::optional<CheckResult> TcpCheck::handle() {
    const Connecting state = connector_.handle();
    if (state == Connecting::under_way) return std::nullopt;
    connector_.close();
    return CheckResult{state == Connecting::connected, connector_.why()};
}

void TcpCheck::wait(Poll &poll) const { poll.write(connector_.descriptor()); }

void Connector::begin() {
    const SocketAddress to(to_);
    why_.clear();
    socket_ =
        filter::Descriptor(socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_) return fail_to_begin("open a socket", errno);
    if (connect(socket_.get(), to.get(), to.size()) != 0 && errno != EINPROGRESS)
        fail_to_begin("connect to " + end(), errno);
}

void Connector::fail_to_begin(const std::string &what, int error) {
    fail(what, error);
    if (std::ranges::count(kLacks, error)) throw std::runtime_error(why_);
}

Connecting Connector::handle() {
    if (!socket_) return Connecting::failed;
    pollfd ready{socket_.get(), POLLOUT, 0};
    if (poll(&ready, 1, 0) <= 0) return Connecting::under_way;
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error == 0) return Connecting::connected;
    fail("connect to " + end(), error);
    return Connecting::failed;
}

void Connector::fail(const std::string &what, int error) {
    why_ = what + ": " + std::generic_category().message(error);
    close();
}

} // namespace agent
