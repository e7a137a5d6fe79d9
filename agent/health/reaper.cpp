// SPDX-License-Identifier: Apache-2.0
#include "agent/health/reaper.hpp"

#include "agent/base/failure.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>
#include <vector>

namespace agent {
namespace {

constexpr int kAgain = 200; // ms

} // namespace

Reaper &Reaper::shared() {
    static Reaper &reaper = *new Reaper;
    return reaper;
}

Reaper::Reaper() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) fail("open a pipe");
    told_ = filter::Descriptor(ends[0]);
    orders_ = filter::Descriptor(ends[1]);
    std::thread([this] { run(); }).detach();
}

// A pipe that is full holds thousands; who is not buried then is buried with the agent.
void Reaper::reap(pid_t child) {
    [[maybe_unused]] const ssize_t written = write(orders_.get(), &child, sizeof child);
}

// Who hangs in the kernel, and does not end though he was killed, holds up no other.
void Reaper::run() {
    std::vector<pid_t> children;
    for (;;) {
        pollfd told{told_.get(), POLLIN, 0};
        poll(&told, 1, children.empty() ? -1 : kAgain);
        for (pid_t child = 0; read(told_.get(), &child, sizeof child) == sizeof child;)
            children.push_back(child);
        std::erase_if(children, [](pid_t child) { return waitpid(child, nullptr, WNOHANG) != 0; });
    }
}

} // namespace agent
