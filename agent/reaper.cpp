// SPDX-License-Identifier: Apache-2.0
#include "agent/reaper.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace agent {

std::shared_ptr<Reaper> Reaper::shared() {
    static std::weak_ptr<Reaper> held;
    auto reaper = held.lock();
    if (!reaper) held = reaper = std::make_shared<Reaper>();
    return reaper;
}

Reaper::Reaper() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        throw std::runtime_error("open a pipe: " + std::generic_category().message(errno));
    told_ = filter::Descriptor(ends[0]);
    orders_ = filter::Descriptor(ends[1]);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    thread_ = std::thread([this] { run(); });
}

Reaper::~Reaper() {
    { const filter::Descriptor closed = std::exchange(orders_, filter::Descriptor()); }
    thread_.join();
}

// A pipe that is full holds thousands; who is not buried then is buried with the agent.
void Reaper::reap(pid_t child) {
    [[maybe_unused]] const ssize_t written = write(orders_.get(), &child, sizeof child);
}

void Reaper::run() {
    pid_t child = 0;
    for (;;) {
        const ssize_t size = read(told_.get(), &child, sizeof child);
        if (size == sizeof child)
            waitpid(child, nullptr, 0);
        else if (size >= 0 || errno != EINTR)
            return;
    }
}

} // namespace agent
