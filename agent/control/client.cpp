// SPDX-License-Identifier: Apache-2.0
#include "agent/control/client.hpp"

#include "agent/base/failure.hpp"
#include "agent/control/local.hpp"
#include "agent/control/longest.hpp"
#include "filter/descriptor.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace agent {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestReply = 16 << 20; // 32 nodes and 32 rules are some 100 kB

// Fails at once when no process listens, or when the user may not connect.
filter::Descriptor connect_to(const std::string &run_dir, const std::string &path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    filter::Descriptor made(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made) fail("open socket");
    if (connect(made.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0)
        return made;
    if (errno == EAGAIN) return filter::Descriptor(); // too many are waiting already
    if (errno == EACCES || errno == EPERM) fail("open " + path, "run it as root");
    const std::string where = run_dir == kDefaultRunDir ? "" : " --run-dir " + run_dir;
    throw NoAgent("no agent answers in " + run_dir + "; start one with: nlbd --config FILE" +
                  where);
}

// Until there is something to do, or the time is up.
bool wait_for(const filter::Descriptor &socket, short what, Clock::time_point until) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    pollfd waiting{socket.get(), what, 0};
    return left.count() > 0 && poll(&waiting, 1, static_cast<int>(left.count())) > 0;
}

bool send_all(const filter::Descriptor &socket, std::string_view text, Clock::time_point until) {
    while (!text.empty()) {
        const ssize_t size = send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (size < 0 && (errno != EAGAIN || !wait_for(socket, POLLOUT, until))) return false;
        if (size > 0) text.remove_prefix(static_cast<std::size_t>(size));
    }
    return shutdown(socket.get(), SHUT_WR) == 0;
}

// Empty: none came, or not all of it.
std::string read_all(const filter::Descriptor &socket, Clock::time_point until) {
    std::string text;
    std::array<char, 16384> buffer;
    for (;;) {
        const ssize_t size = recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (size == 0) return text;
        if (size > 0 && text.size() > kLongestReply) return {};
        if (size > 0)
            text.append(buffer.data(), static_cast<std::size_t>(size));
        else if (errno != EAGAIN || !wait_for(socket, POLLIN, until))
            return {};
    }
}

} // namespace

std::string ask(const std::string &run_dir, const std::string &request,
                std::chrono::milliseconds patience) {
    if (request.size() > kLongestWithFile)
        throw std::runtime_error("a command has at most " + std::to_string(kLongestWithFile) +
                                 " bytes with its arguments");
    const Clock::time_point until = Clock::now() + patience;
    const filter::Descriptor socket = connect_to(run_dir, control_path(run_dir));
    std::string reply;
    if (socket && send_all(socket, request, until)) reply = read_all(socket, until);
    if (reply.empty())
        throw NoAgent("no agent answers in " + run_dir +
                      ": one accepts connections there, but does not reply; see whether it is stopped");
    return reply;
}

} // namespace agent
