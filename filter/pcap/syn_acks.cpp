// SPDX-License-Identifier: Apache-2.0
#include "filter/pcap/syn_acks.hpp"

#include "filter/verdict/siphash.h"

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace filter::pcap {

namespace {

constexpr std::size_t kInASet = 4;
constexpr std::uint64_t kTimeMask = 0xffff;
constexpr int kTimeShift = 30;           // of nanoseconds: 1.07 s
constexpr std::uint16_t kCountsFor = 64; // a request is given up after a minute

struct Flow {
    const __u64 *client, *server; // addresses
    __be16 client_port, server_port;
    std::uint32_t acknowledged;
};

std::uint64_t hash_of(const __u64 key[2], const Flow &flow) {
    const __u64 words[5] = {flow.client[0], flow.client[1], flow.server[0], flow.server[1],
                            static_cast<__u64>(flow.acknowledged) << 32 |
                                static_cast<__u64>(flow.client_port) << 16 | flow.server_port};
    return nlb_siphash(key, words, 5, static_cast<__u64>(40) << 56, 1, 3);
}

std::uint16_t age(std::uint64_t word, std::uint64_t now) {
    return static_cast<std::uint16_t>(now - word);
}

} // namespace

// Only the packets' thread writes; a thread that judges a frame by hand may read meanwhile.
void SynAcks::sent(const TcpSegment &syn_ack, std::uint64_t now_ns) {
    const std::uint64_t now = now_ns >> kTimeShift;
    const std::uint64_t hash =
        hash_of(key_, {syn_ack.destination, syn_ack.source, syn_ack.destination_port,
                         syn_ack.source_port, __builtin_bswap32(syn_ack.sequence) + 1});
    const auto set = words_.subspan(hash % (kWords / kInASet) * kInASet, kInASet);
    const auto rank = [&](std::uint64_t word) { // the higher, the sooner to be overwritten
        if ((word ^ hash) >> 16 == 0) return 0x20000u;
        return word == 0 ? 0x10000u : static_cast<unsigned>(age(word, now));
    };
    const auto place = std::ranges::max_element(set, {}, rank);
    std::atomic_ref(*place).store((hash & ~kTimeMask) | (now & kTimeMask),
                                  std::memory_order_relaxed);
}

bool SynAcks::acknowledged_by(const TcpSegment &segment, std::uint64_t now_ns) const {
    const std::uint64_t now = now_ns >> kTimeShift;
    const std::uint64_t hash =
        hash_of(key_, {segment.source, segment.destination, segment.source_port,
                         segment.destination_port, __builtin_bswap32(segment.acknowledged)});
    const auto set = words_.subspan(hash % (kWords / kInASet) * kInASet, kInASet);
    return std::ranges::any_of(set, [&](std::uint64_t &shared) {
        const std::uint64_t word = std::atomic_ref(shared).load(std::memory_order_relaxed);
        return word != 0 && (word ^ hash) >> 16 == 0 && age(word, now) <= kCountsFor;
    });
}

} // namespace filter::pcap
