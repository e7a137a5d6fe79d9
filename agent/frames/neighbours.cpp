// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/neighbours.hpp"

#include "agent/frames/reply.hpp"
#include "agent/host/interface.hpp"

#include <algorithm>

namespace agent {

Neighbours::Neighbours(const std::string &interface,
                       const std::vector<filter::IpAddress> &virtual_ips,
                       const filter::MacAddress &cluster_mac)
    : interface_(interface), virtual_ips_(virtual_ips), cluster_mac_(cluster_mac) {
    open();
}

int Neighbours::descriptor() const { return capture_ ? capture_->descriptor() : -1; }

void Neighbours::handle() {
    constexpr int batch = 64; // a flood of questions must not keep the loop from its beats
    for (int i = 0; i < batch && capture_; ++i) {
        const auto frame = capture_->next();
        if (!capture_->is_open()) capture_.reset();
        if (frame.empty()) return;
        const auto question = parse_solicitation(frame);
        if (!question || std::find(virtual_ips_.begin(), virtual_ips_.end(), question->target) ==
                             virtual_ips_.end())
            ++counters_.malformed;
        else if (!answering_)
            ++counters_.ignored;
        else
            answer(*question);
    }
}

void Neighbours::answer(const Solicitation &question) {
    const auto mac = sender_->mac();
    if (mac && sender_->send(build_reply(question, cluster_mac_, *mac)))
        ++counters_.answered;
    else
        ++counters_.send_errors;
}

bool Neighbours::heal() {
    const auto self = find_interface(interface_);
    if (!self || !self->up) return false;
    if (capture_ && self->index == index_) return false;
    return open();
}

bool Neighbours::open() {
    capture_.reset();
    const auto self = find_interface(interface_);
    if (!self || !self->up) return false;
    groups_.emplace(interface_, virtual_ips_);
    sender_.emplace(interface_);
    capture_.emplace(interface_, capture_filter(virtual_ips_));
    index_ = self->index;
    if (!capture_->is_open()) capture_.reset();
    return capture_.has_value();
}

} // namespace agent
