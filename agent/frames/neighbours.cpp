// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/neighbours.hpp"

#include "agent/frames/reply.hpp"

#include <algorithm>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

constexpr int kAnnouncements = 3;
constexpr Time kApart = 1s;       // between two of them
constexpr Time kDefence = 200ms;  // after another machine claims an address
constexpr Time kRemembered = 10s; // a claim
constexpr int kAtOnce = 16;       // a flood of questions must not keep the loop from its beats, nor a processor from services

filter::Datapath *if_it_hears(filter::Datapath *datapath) {
    return datapath && datapath->neighbours_descriptor() >= 0 ? datapath : nullptr;
}

} // namespace

Neighbours::Neighbours(const std::string &interface,
                       const std::vector<filter::IpAddress> &virtual_ips,
                       const std::optional<filter::MacAddress> &cluster_mac, filter::Datapath *datapath)
    : interface_(interface), datapath_(if_it_hears(datapath)), virtual_ips_(virtual_ips), cluster_mac_(cluster_mac),
      line_(interface, datapath_ ? "" : capture_filter(virtual_ips)) {
    heal();
}

void Neighbours::wait(Poll &poll) const {
    poll.read(descriptor());
    if (answering_ && announcements_ > 0 && line_.is_open()) poll.at(next_);
}

int Neighbours::descriptor() const {
    return datapath_ ? datapath_->neighbours_descriptor() : line_.descriptor();
}

void Neighbours::set_answering(std::uint32_t virtual_ips, std::uint64_t occasion) {
    if (virtual_ips & ~answering_ || occasion != occasion_) {
        announcements_ = kAnnouncements;
        next_ = Time{}; // at once
    }
    answering_ = virtual_ips;
    occasion_ = occasion;
}

void Neighbours::configure(Time now, const std::vector<filter::IpAddress> &virtual_ips) {
    handle(now);
    virtual_ips_ = virtual_ips;
    std::erase_if(heard_, [this](const Heard &heard) { return !is_virtual_ip(heard.claim.address); });
    next_ = now;
    announcements_ = kAnnouncements;
    if (!datapath_) line_.set_filter(capture_filter(virtual_ips_));
    if (line_.is_open()) join_groups();
}

void Neighbours::handle(Time now) {
    if (datapath_)
        for (const auto &frame : datapath_->take_neighbours(kAtOnce))
            hear(now, frame);
    for (int i = 0; i < kAtOnce; ++i) {
        const auto frame = line_.next();
        if (frame.empty()) break;
        hear(now, frame);
    }
    if (answering_ && announcements_ > 0 && line_.is_open() && now >= next_) announce(now);
}

bool Neighbours::is_virtual_ip(const filter::IpAddress &address) const {
    return std::ranges::count(virtual_ips_, address) > 0;
}

bool Neighbours::answers_for(const filter::IpAddress &address) const {
    const auto place = std::ranges::find(virtual_ips_, address) - virtual_ips_.begin();
    return place < 32 && (answering_ >> place & 1);
}

bool Neighbours::is_a_nodes(const filter::MacAddress &mac) const {
    if (mac == cluster_mac_ || std::ranges::count(nodes_, mac) > 0) return true;
    return !cluster_mac_ && line_.mac() == mac; // its own announcements are heard as well
}

// A question may be a claim, too: an announcement in ARP asks for its own sender.
void Neighbours::hear(Time now, std::span<const std::uint8_t> frame) {
    const auto claim = parse_claim(frame);
    const bool claims = claim && is_virtual_ip(claim->address);
    if (claims && is_a_nodes(claim->mac)) return; // another node's claim
    if (claims) {
        ++counters_.claimed;
        std::erase_if(heard_, [&](const Heard &heard) { return heard.claim.address == claim->address; });
        heard_.push_back({*claim, now});
        announcements_ = std::max(announcements_, 1);
        next_ = std::min(next_, now + kDefence);
    }
    const auto question = parse_solicitation(frame);
    if (!question || !is_virtual_ip(question->target))
        counters_.malformed += claims ? 0 : 1;
    else if (!answers_for(question->target))
        ++counters_.ignored;
    else
        answer(*question);
}

void Neighbours::announce(Time now) {
    next_ = now + kApart;
    --announcements_;
    const auto mac = line_.mac();
    for (const auto &address : virtual_ips_) {
        if (!answers_for(address)) continue;
        const bool sent = mac && line_.send(build_announcement(address, cluster_mac_.value_or(*mac), *mac));
        ++(sent ? counters_.announced : counters_.send_errors);
    }
}

std::vector<std::string> Neighbours::claims(Time now) const {
    std::vector<std::string> texts;
    for (const auto &[claim, at] : heard_)
        if (now - at < kRemembered && !is_a_nodes(claim.mac))
            texts.push_back("virtual IP " + filter::to_string(claim.address) + ": " +
                            filter::to_string(claim.mac) + " says that it is there, too");
    return texts;
}

void Neighbours::answer(const Solicitation &question) {
    const auto mac = line_.mac();
    if (mac && line_.send(build_reply(question, cluster_mac_.value_or(*mac), *mac)))
        ++counters_.answered;
    else
        ++counters_.send_errors;
}

void Neighbours::join_groups() {
    try {
        groups_ = SolicitedNodeGroups(interface_, virtual_ips_); // the former are left when these are joined
    } catch (...) {
        line_.close(); // deaf to neighbour solicitations it would be open for good
        throw;
    }
}

bool Neighbours::heal() {
    if (!line_.heal()) return false;
    join_groups();
    announcements_ = kAnnouncements; // what others have said meanwhile was not heard
    return true;
}

} // namespace agent
