// SPDX-License-Identifier: Apache-2.0
// signalfd: no handler, so nothing runs in the middle of something else.
#include "agent/base/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

namespace agent {

Signals::Signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : {SIGTERM, SIGINT, SIGUSR2, SIGHUP})
        sigaddset(&set, signal);
    std::signal(SIGPIPE, SIG_IGN); // a reader of the log that went away
    sigprocmask(SIG_BLOCK, &set, nullptr);
    descriptor_ = filter::Descriptor(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!descriptor_)
        throw std::runtime_error("open signalfd: " + std::generic_category().message(errno));
}

std::optional<Signal> Signals::next() {
    signalfd_siginfo info{};
    while (read(descriptor_.get(), &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP) continue; // a terminal that closes does not end a server
        return info.ssi_signo == SIGUSR2 ? Signal::vanish : Signal::leave;
    }
    return std::nullopt;
}

SignalEvents::SignalEvents(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : signals)
        sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, &before_);
    descriptor_ = filter::Descriptor(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!descriptor_)
        throw std::runtime_error("open signalfd: " + std::generic_category().message(errno));
}

SignalEvents::~SignalEvents() { sigprocmask(SIG_SETMASK, &before_, nullptr); }

int SignalEvents::next() {
    signalfd_siginfo info{};
    return read(descriptor_.get(), &info, sizeof info) == sizeof info
               ? static_cast<int>(info.ssi_signo)
               : 0;
}

} // namespace agent
