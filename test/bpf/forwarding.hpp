// SPDX-License-Identifier: Apache-2.0
// A datapath with delivery = "forward", on the node with the number 1.
#pragma once

#include "host.hpp"
#include "packets.hpp"
#include "verdicts.hpp"

#include "filter/tc/tc.hpp"

#include <algorithm>
#include <memory>
#include <vector>

namespace forwarding_test {

using namespace packets;

inline constexpr filter::MacAddress kTwo = {0x02, 0, 0, 0, 1, 2}, kThree = {0x02, 0, 0, 0, 1, 3};

inline filter::MacAddress own_mac() { return *filter::parse_mac(mac_of("near")); }

inline filter::Paths paths(bool three_holds = false) {
    filter::Paths paths;
    paths.macs[2] = kTwo;
    paths.macs[3] = kThree;
    if (three_holds) paths.lingering.fill(1u << 2);
    return paths;
}

inline filter::Numbers all_of(std::uint8_t node) {
    return filter::Numbers(settings().rules.size() + 1, std::vector<std::uint8_t>(filter::kBuckets, node));
}

inline filter::Settings forwarding() {
    filter::Settings wish = settings();
    wish.forward = true;
    return wish;
}

inline std::unique_ptr<filter::Datapath>
attach_forwarding(filter::InFront in_front = over_tc() ? filter::InFront::nothing : filter::InFront::xdp) {
    take_tags_off("near", false);
    auto datapath = filter::tc::attach("near", Host::pin_dir("node"), forwarding(), in_front);
    datapath->set_lease(kForever);
    datapath->set_paths(paths());
    datapath->set_numbers(all_of(2));
    datapath->install(nothing_mine());
    return datapath;
}

inline Bytes packet(bool v4, const Segment &inner) { return v4 ? ipv4({}, inner) : ipv6({}, inner); }

// As a client's frame comes: to this node's own MAC.
inline Bytes frame(bool v4, const Segment &inner, std::vector<std::uint16_t> tags = {}) {
    return ethernet(packet(v4, inner), {.tags = std::move(tags), .destination = own_mac()});
}

inline bool is_to(const Frame &frame, const filter::MacAddress &mac) {
    return std::equal(mac.begin(), mac.end(), frame.begin());
}

inline std::uint64_t sent_to(const filter::Datapath &datapath, std::size_t node) { return datapath.sent().at(node); }

inline unsigned checksum_of(const Frame &frame, std::size_t at) { // of an IPv4 header: 0xffff when it is right
    unsigned sum = 0;
    for (std::size_t i = at; i < at + 20; i += 2)
        sum += static_cast<unsigned>(frame[i] << 8 | frame[i + 1]);
    return (sum & 0xffff) + (sum >> 16);
}

inline void with_hops(Bytes &frame, bool v4, std::uint8_t hops) {
    const unsigned before = frame[v4 ? 22 : 21];
    frame[v4 ? 22 : 21] = hops;
    if (!v4) return;
    unsigned sum = static_cast<unsigned>(frame[24] << 8 | frame[25]) + ((before - hops) << 8);
    sum = (sum & 0xffff) + (sum >> 16);
    frame[24] = static_cast<std::uint8_t>(sum >> 8);
    frame[25] = static_cast<std::uint8_t>(sum);
}

// A veth hands what XDP at its other end sends to its own NAPI only where it has a program of XDP.
struct TakesIn {
    PassProgram at_far{"far"};
};

} // namespace forwarding_test
