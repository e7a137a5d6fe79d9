// SPDX-License-Identifier: Apache-2.0
#include "agent/base/signals.hpp"

#include "agent/base/failure.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

namespace agent {

Signals::Signals(std::initializer_list<int> signals, InTheEnd end) : end_(end) {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : signals)
        sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, &before_);
    descriptor_ = filter::Descriptor(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    if (!descriptor_) fail("open signalfd");
}

Signals::~Signals() {
    if (end_ == InTheEnd::as_before) sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int Signals::next() {
    signalfd_siginfo info{};
    return read(descriptor_.get(), &info, sizeof info) == sizeof info
               ? static_cast<int>(info.ssi_signo)
               : 0;
}

} // namespace agent
