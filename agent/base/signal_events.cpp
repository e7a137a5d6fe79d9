// SPDX-License-Identifier: Apache-2.0
#include "agent/base/signal_events.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace agent {

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
