// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/witness.hpp"

#include "agent/frames/message.hpp"
#include "agent/frames/reply.hpp"
#include "agent/frames/witness_asker.hpp"
#include "agent/host/interface.hpp"

namespace agent {

Witness::Witness(const std::string &interface, const filter::IpAddress &address,
                 const std::vector<filter::IpAddress> &virtual_ips, heartbeat::Duration interval)
    : interface_(interface), address_(address), virtual_ips_(virtual_ips), pause_(interval / 2) {
    open();
}

int Witness::descriptor() const { return capture_ ? capture_->descriptor() : -1; }

std::optional<heartbeat::Time> Witness::answered() {
    constexpr int batch = 64; // a flood of answers must not keep the loop from its beats
    bool heard = false;
    for (int i = 0; i < batch && capture_; ++i) {
        const auto frame = capture_->next();
        if (!capture_->is_open()) capture_.reset();
        if (frame.empty()) break;
        const bool valid = parse_answer(frame) == address_;
        ++(valid ? counters_.answered : counters_.malformed);
        heard |= valid;
    }
    return heard ? asked_ : std::nullopt;
}

// MAC and address are looked up each time: an administrator may change them.
void Witness::ask(heartbeat::Time now) {
    if (!sender_ || (asked_ && now - *asked_ < pause_)) return;
    asked_ = now;
    const auto from = asker(address_, own_addresses(interface_), virtual_ips_);
    const auto mac = sender_->mac();
    const bool sent = mac && sender_->send(build_question(address_, from, *mac));
    ++(sent ? counters_.asked : counters_.send_errors);
}

bool Witness::heal() {
    const auto self = find_interface(interface_);
    if (!self || !self->up) return false;
    if (capture_ && self->index == index_) return false;
    return open();
}

bool Witness::open() {
    capture_.reset();
    sender_.reset();
    const auto self = find_interface(interface_);
    if (!self || !self->up) return false;
    sender_.emplace(interface_);
    capture_.emplace(interface_, answer_filter(address_));
    index_ = self->index;
    if (!capture_->is_open()) capture_.reset();
    return capture_.has_value();
}

} // namespace agent
