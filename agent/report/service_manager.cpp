// SPDX-License-Identifier: Apache-2.0
#include "agent/report/service_manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <thread>

namespace agent {
namespace {

using heartbeat::NodeState;
using std::chrono::microseconds;

bool settled(const heartbeat::Status &status) {
    if (status.state == NodeState::stopped || status.state == NodeState::suspended) return true;
    return status.installed && status.state != NodeState::joining;
}

std::string notify_socket() {
    const char *name = std::getenv("NOTIFY_SOCKET");
    return name ? name : "";
}

} // namespace

// The socket is kept open: an agent without a free descriptor feeds its watchdog, too.
ServiceManager::ServiceManager(heartbeat::Time now) : name_(notify_socket()), started_(now) {
    if (name_.empty()) return;
    socket_ = filter::Descriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    std::uint64_t limit = 0;
    if (!socket_ || sd_watchdog_enabled(0, &limit) <= 0) return;
    feed_every_ = microseconds(std::max<std::uint64_t>(limit / 2, 1000));
    feed_at_ = now;
}

// False: the socket has no room for the message now. Without a listener, the message is lost. A name
// that begins with @ is abstract, as in sd_notify(3).
bool ServiceManager::say(const std::string &message) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = name_.copy(address.sun_path, sizeof address.sun_path);
    if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    return sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr *>(&address), size) >= 0 ||
           errno != EAGAIN;
}

void ServiceManager::report(heartbeat::Time now, const heartbeat::Status &status) {
    if (!socket_) return;
    const std::string line = summary(status);
    const bool ready = ready_ || settled(status) || now - started_ >= kReadyAtLatest;
    const std::string message =
        (line == said_ ? "" : "STATUS=" + line + "\n") + (ready == ready_ ? "" : "READY=1\n");
    if (message.empty() || !say(message)) return;
    said_ = line;
    ready_ = ready;
}

void ServiceManager::feed(heartbeat::Time now) {
    if (now < feed_at_) return;
    feed_at_ = now + (say("WATCHDOG=1") ? feed_every_ : feed_every_ / 10);
}

void ServiceManager::stopping(heartbeat::Duration at_most) {
    if (!socket_) return;
    const auto limit = std::chrono::duration_cast<microseconds>(at_most).count();
    say("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(limit));
}

void wait_before_restart() {
    if (!notify_socket().empty()) std::this_thread::sleep_for(std::chrono::seconds(2));
}

std::string summary(const heartbeat::Status &status) {
    const auto serving =
        std::ranges::count(status.nodes, NodeState::active, &heartbeat::PeerStatus::state);
    std::string line(heartbeat::to_string(status.state));
    if (!status.reason.empty()) line += " (" + status.reason + ")";
    line += ", view " + std::to_string(status.view.number.term) + "." +
            std::to_string(status.view.number.number) + ", " + std::to_string(serving) + " of " +
            std::to_string(status.nodes.size()) + " nodes serve";
    std::ranges::replace(line, '\n', ' ');
    return line;
}

} // namespace agent
