// SPDX-License-Identifier: Apache-2.0
#include "agent/node/forwarding.hpp"

#include <algorithm>

namespace agent {

using heartbeat::index;

Forwarding::Forwarding(heartbeat::NodeId self, const filter::Paths &known, heartbeat::Time now)
    : self_(self), macs_(known.macs) {
    for (std::size_t node = 1; node < had_.size(); ++node) {
        filter::GroupSet groups{};
        for (std::size_t group = 0; group < filter::kGroups; ++group)
            if (known.lingering[group] >> (node - 1) & 1) groups[group / 64] |= std::uint64_t{1} << group % 64;
        had_[node].add(groups, now);
    }
}

void Forwarding::set_mac(heartbeat::NodeId node, const filter::MacAddress &mac) {
    if (node == self_ || mac == filter::MacAddress{} || mac == macs_[index(node)]) return;
    macs_[index(node)] = mac;
    changed_ = true;
}

void Forwarding::forget(heartbeat::NodeId node) {
    changed_ |= macs_[index(node)] != filter::MacAddress{};
    macs_[index(node)] = {};
}

void Forwarding::set_held(heartbeat::NodeId node, const filter::GroupSet &groups) {
    if (node == self_ || groups == held_[index(node)]) return;
    held_[index(node)] = groups;
    changed_ = true;
}

void Forwarding::move(const filter::Numbers &before, const filter::Numbers &after, heartbeat::Time now) {
    std::array<filter::GroupSet, heartbeat::kMaxNodes + 1> lost{};
    for (std::size_t table = 0; table < std::min(before.size(), after.size()); ++table)
        for (std::size_t bucket = 0; bucket < before[table].size(); ++bucket) {
            const std::uint8_t owner = before[table][bucket];
            if (owner == after[table][bucket]) continue;
            const std::size_t group = bucket / filter::kBucketsPerGroup;
            lost[owner][group / 64] |= std::uint64_t{1} << group % 64;
        }
    for (std::size_t node = 1; node < lost.size(); ++node)
        had_[node].add(lost[node], now);
    changed_ = true;
}

void Forwarding::expire(heartbeat::Time now) {
    if (now < next_expiry_) return;
    next_expiry_ = now + std::chrono::seconds(1);
    for (Lingering &groups : had_)
        changed_ |= groups.expire(now);
}

std::optional<filter::Paths> Forwarding::changed_paths() {
    if (!changed_) return std::nullopt;
    changed_ = false;
    filter::Paths paths;
    paths.macs = macs_;
    for (std::size_t node = 1; node < held_.size(); ++node) {
        if (node == index(self_)) continue;
        for (std::size_t group = 0; group < filter::kGroups; ++group)
            if ((held_[node][group / 64] | had_[node].groups()[group / 64]) >> group % 64 & 1)
                paths.lingering[group] |= 1u << (node - 1);
    }
    return paths;
}

} // namespace agent
