// SPDX-License-Identifier: Apache-2.0
// A deadline a group, set again whenever there is a new reason to linger.
#include "agent/node/lingering.hpp"

namespace agent {
namespace {

constexpr std::uint64_t bit(unsigned group) { return std::uint64_t{1} << group % 64; }

} // namespace

void Lingering::add(const filter::GroupSet &groups, heartbeat::Time now) {
    for (unsigned group = 0; group < filter::kGroups; ++group)
        if (groups[group / 64] & bit(group)) {
            groups_[group / 64] |= bit(group);
            until_[group] = now + kLingerAtLeast;
        }
}

bool Lingering::expire(heartbeat::Time now) {
    const filter::GroupSet before = groups_;
    for (unsigned group = 0; group < filter::kGroups; ++group)
        if (now >= until_[group]) groups_[group / 64] &= ~bit(group);
    return groups_ != before;
}

} // namespace agent
