// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/witness.hpp"

#include "agent/frames/message.hpp"
#include "agent/frames/reply.hpp"

#include <algorithm>
#include <net/ethernet.h>

namespace agent {
namespace {

using filter::IpAddress;

bool share_prefix(const OwnAddress &own, const IpAddress &target) {
    for (unsigned bit = 0; bit < own.prefix; ++bit)
        if ((own.address.bytes[bit / 8] ^ target.bytes[bit / 8]) & (0x80 >> bit % 8)) return false;
    return true;
}

bool link_local_v6(const IpAddress &address) {
    return !address.is_v4() && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

} // namespace

Witness::Witness(const std::string &interface, const filter::IpAddress &address,
                 const std::vector<filter::IpAddress> &virtual_ips, heartbeat::Duration interval)
    : interface_(interface), address_(address), virtual_ips_(virtual_ips), pause_(interval / 2),
      line_(interface, address.is_v4() ? answer_filter(address) : "", ETHERTYPE_ARP) {
    heal();
}

void Witness::wait(Poll &poll) const {
    line_.wait(poll);
    if (advertisements_) poll.read(advertisements_->descriptor());
}

bool Witness::heal() {
    if (!line_.heal()) return false;
    try {
        if (!address_.is_v4()) advertisements_.emplace(interface_, address_);
    } catch (...) {
        line_.close(); // or it would be open, and deaf, for good
        throw;
    }
    return true;
}

std::span<const std::uint8_t> Witness::next() {
    return advertisements_ ? advertisements_->next() : line_.next();
}

std::optional<heartbeat::Time> Witness::answered() {
    constexpr int batch = 64; // a flood of answers must not keep the loop from its beats
    bool heard = false;
    for (int i = 0; i < batch; ++i) {
        const auto frame = next();
        if (frame.empty()) break;
        const bool valid = parse_answer(frame) == address_;
        ++(valid ? counters_.answered : counters_.malformed);
        heard |= valid;
    }
    return heard ? asked_ : std::nullopt;
}

void Witness::ask(heartbeat::Time now) {
    if (!line_.is_open() || (asked_ && now - *asked_ < pause_)) return;
    asked_ = now;
    const auto from = asker(address_, own_, virtual_ips_);
    const auto mac = line_.mac();
    const bool sent = mac && line_.send(build_question(address_, from, *mac));
    ++(sent ? counters_.asked : counters_.send_errors);
}

std::vector<OwnAddress> own_addresses(const HostSeen &host, int index) {
    std::vector<OwnAddress> own;
    for (const HostAddress &there : host.addresses)
        if (there.index == index) own.push_back({there.address, there.length});
    return own;
}

IpAddress asker(const IpAddress &target, const std::vector<OwnAddress> &own,
                const std::vector<IpAddress> &virtual_ips) {
    for (const OwnAddress &candidate : own)
        if (candidate.address.family == target.family &&
            (share_prefix(candidate, target) || link_local_v6(candidate.address)) &&
            std::find(virtual_ips.begin(), virtual_ips.end(), candidate.address) ==
                virtual_ips.end())
            return candidate.address;
    return {target.family, {}};
}

} // namespace agent
