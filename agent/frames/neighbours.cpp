// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/neighbours.hpp"

#include "agent/frames/reply.hpp"

#include <algorithm>

namespace agent {

Neighbours::Neighbours(const std::string &interface,
                       const std::vector<filter::IpAddress> &virtual_ips,
                       const filter::MacAddress &cluster_mac)
    : interface_(interface), virtual_ips_(virtual_ips), cluster_mac_(cluster_mac),
      line_(interface, capture_filter(virtual_ips)) {
    heal();
}

void Neighbours::handle() {
    constexpr int batch = 64; // a flood of questions must not keep the loop from its beats
    for (int i = 0; i < batch; ++i) {
        const auto frame = line_.next();
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
    const auto mac = line_.mac();
    if (mac && line_.send(build_reply(question, cluster_mac_, *mac)))
        ++counters_.answered;
    else
        ++counters_.send_errors;
}

bool Neighbours::heal() {
    if (!line_.heal()) return false;
    try {
        groups_.emplace(interface_, virtual_ips_);
    } catch (...) {
        line_.close(); // deaf to neighbour solicitations it would be open for good
        throw;
    }
    return true;
}

} // namespace agent
