// SPDX-License-Identifier: Apache-2.0
#include "filter/user_verdict.hpp"

#include "filter/verdict.h"

#include <algorithm>

namespace {

struct Context {
    nlb_state &state;
    std::span<const std::uint8_t> frame;
    filter::VerdictHost &host;
};

Context &of(void *context) { return *static_cast<Context *>(context); }

nlb_cursor start_of(std::span<const std::uint8_t> frame) {
    return {frame.data(), frame.data() + frame.size(), 0};
}

} // namespace

// The frame lies in one piece here, so everything of it can be read.
NLB_INLINE __u32 nlb_frame_length(void *context) {
    return static_cast<__u32>(of(context).frame.size());
}

NLB_INLINE __u64 nlb_walk(void *, struct nlb_cursor cursor, __u8 protocol, __u32 payload) {
    return nlb_walk_extensions(cursor, protocol, payload);
}

namespace {

// Only frames that nlb_decide has found well-formed get here. As in the BPF program, what is seldom
// needed costs the others nothing.
filter::TcpSegment parse_again(Context &context) {
    nlb_cursor cursor = start_of(context.frame);
    nlb_packet packet = {};
    packet.family = nlb_take_ethernet(&cursor) == NLB_TYPE_IPV4 ? 4 : 6;
    packet.ip = nlb_take_addresses(&cursor, &packet);
    nlb_take_rest(&context, &cursor, &packet);
    filter::TcpSegment segment = {};
    std::copy_n(packet.source, 2, segment.source);
    std::copy_n(packet.destination, 2, segment.destination);
    segment.source_port = packet.source_port;
    segment.destination_port = packet.destination_port;
    segment.acknowledged = nlb_load32(packet.tcp + 8);
    segment.family = packet.family;
    segment.flags = packet.tcp_flags;
    return segment;
}

} // namespace

NLB_INLINE int nlb_has_socket(void *context) {
    return of(context).host.has_socket(parse_again(of(context)));
}

NLB_INLINE int nlb_has_listener(void *context, __u32 table) {
    return of(context).host.has_listener(parse_again(of(context)), table);
}

NLB_INLINE __u64 nlb_boot_ns(void *context) { return of(context).host.boot_ns(); }

NLB_INLINE int nlb_fragment(void *context, const struct nlb_packet *packet,
                            enum nlb_fragment what) {
    nlb_state &state = of(context).state;
    return nlb_remember_fragment(state.marks, nlb_active_config(&state)->key, packet, what,
                                 nlb_boot_ns(context));
}

namespace filter {

std::uint64_t decide(nlb_state &state, std::span<const std::uint8_t> frame, VerdictHost &host) {
    if (frame.empty()) return NLB_TOO_SHORT; // it may lie nowhere, and no pointer goes on from there
    Context context{state, frame, host};
    return nlb_decide(&context, &state, start_of(frame));
}

std::uint32_t reason_of(std::uint64_t word) { return NLB_WORD_REASON(word); }
std::uint32_t counter_of(std::uint64_t word) { return NLB_WORD_COUNTER(word); }
nlb_verdict verdict_of(std::uint64_t word) { return nlb_verdict_of(word); }

} // namespace filter
