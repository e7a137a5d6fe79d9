// SPDX-License-Identifier: Apache-2.0
// Messages are lost in silence when nobody reads them: a service manager that restarts has a full
// socket for a moment, and the next message is as good.
#include "agent/service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <algorithm>
#include <chrono>
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

} // namespace

ServiceManager::ServiceManager(heartbeat::Time now)
    : present_(std::getenv("NOTIFY_SOCKET") != nullptr), started_(now) {
    std::uint64_t limit = 0;
    if (!present_ || sd_watchdog_enabled(0, &limit) <= 0) return;
    feed_every_ = microseconds(std::max<std::uint64_t>(limit / 2, 1000));
    feed_at_ = now;
}

void ServiceManager::report(heartbeat::Time now, const heartbeat::Status &status) {
    if (!present_) return;
    std::string message;
    if (const std::string line = summary(status); line != said_) {
        said_ = line;
        message = "STATUS=" + line + "\n";
    }
    if (!ready_ && (settled(status) || now - started_ >= kReadyAtLatest)) {
        ready_ = true;
        message += "READY=1\n";
    }
    if (!message.empty()) sd_notify(0, message.c_str());
}

void ServiceManager::feed(heartbeat::Time now) {
    if (now < feed_at_) return;
    feed_at_ = now + feed_every_;
    sd_notify(0, "WATCHDOG=1");
}

void ServiceManager::stopping(heartbeat::Duration at_most) {
    if (!present_) return;
    const auto limit = std::chrono::duration_cast<microseconds>(at_most).count();
    sd_notify(0, ("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(limit)).c_str());
}

void wait_before_restart() {
    if (std::getenv("NOTIFY_SOCKET")) std::this_thread::sleep_for(std::chrono::seconds(2));
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
