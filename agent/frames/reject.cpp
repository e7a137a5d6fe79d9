// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/reject.hpp"

#include "agent/frames/reset.hpp"
#include "agent/host/interface.hpp"

#include <chrono>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

constexpr std::size_t kAtOnce = 20; // a flood must not keep the loop from its beats
constexpr Time kRest = 10ms;

} // namespace

int Refusals::descriptor(Time now) const {
    return now < rests_until_ ? -1 : datapath_.refused_descriptor();
}

Time Refusals::wake_at(Time now) const {
    return now < rests_until_ ? rests_until_ : heartbeat::kNever;
}

// Who is not told, for want of an interface or a descriptor, asks again.
void Refusals::handle(Time now) {
    if (now < rests_until_) return;
    const auto frames = datapath_.take_refused(kAtOnce);
    if (frames.empty()) return;
    if (frames.size() == kAtOnce) rests_until_ = now + kRest;
    try {
        const auto self = find_interface(interface_);
        if (!self || !self->up) return;
        if (!sender_ || index_ != self->index) sender_.emplace(interface_);
        index_ = self->index;
        for (const auto &frame : frames)
            if (const auto answer = build_refusal(frame, self->mac)) sender_->send(*answer);
    } catch (const std::exception &) {
        sender_.reset();
    }
}

} // namespace agent
