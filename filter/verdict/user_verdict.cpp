// SPDX-License-Identifier: Apache-2.0
#include "filter/verdict/user_verdict.hpp"

#include "filter/verdict/verdict.h"

namespace {

// Parsing asks for the frame alone.
struct Context {
    std::span<const std::uint8_t> frame;
    std::uint32_t length = static_cast<std::uint32_t>(frame.size());
    nlb_state *state = nullptr;
    filter::VerdictHost *host = nullptr;
};

Context &of(void *context) { return *static_cast<Context *>(context); }

nlb_cursor start_of(std::span<const std::uint8_t> frame) {
    return {frame.data(), frame.data() + frame.size(), 0};
}

} // namespace

// No datapath in user space sends packets on.
NLB_INLINE int nlb_forwards(void) { return 0; }
NLB_INLINE const struct nlb_paths *nlb_known_paths(void) { return nullptr; }
NLB_INLINE __u32 nlb_number_of(__u32, __u32) { return 0; }
NLB_INLINE int nlb_may_be_sent_on(void *, const struct nlb_paths *) { return 0; }

NLB_INLINE __u32 nlb_frame_length(void *context) { return of(context).length; }

NLB_INLINE __u64 nlb_walk(void *, struct nlb_cursor cursor, __u8 protocol, __u32 payload) {
    return nlb_walk_extensions(cursor, protocol, payload);
}

// The frame is parsed again: as in the BPF program, what is seldom needed costs the others nothing.
NLB_INLINE int nlb_has_socket(void *context) {
    const auto segment = filter::parse_tcp(of(context).frame);
    return segment && of(context).host->has_socket(*segment);
}

NLB_INLINE int nlb_has_listener(void *context, __u32 table) {
    const auto segment = filter::parse_tcp(of(context).frame);
    return !segment || of(context).host->has_listener(*segment, table);
}

NLB_INLINE __u64 nlb_boot_ns(void *context) { return of(context).host->boot_ns(); }

NLB_INLINE __u32 nlb_fragment(void *context, const struct nlb_packet *packet, __u32 fate) {
    nlb_state &state = *of(context).state;
    return nlb_remember_fragment(state.marks, nlb_active_config(&state)->key, packet, fate,
                                 nlb_forwards(), nlb_boot_ns(context));
}

namespace filter {

std::uint64_t decide(nlb_state &state, std::span<const std::uint8_t> frame, VerdictHost &host) {
    if (frame.empty()) return NLB_TOO_SHORT; // it may lie nowhere, and no pointer goes on from there
    Context context{.frame = frame, .state = &state, .host = &host};
    nlb_cursor cursor = start_of(frame);
    const __be16 type = nlb_take_ethernet(&cursor, 0);
    return nlb_decide(&context, &state, cursor, type);
}

ParsedFrame parse(std::span<const std::uint8_t> frame, std::uint32_t length) {
    ParsedFrame parsed;
    if (frame.empty()) return parsed;
    nlb_packet &packet = parsed.packet;
    nlb_cursor cursor = start_of(frame);
    Context context{.frame = frame, .length = length};
    const __be16 type = nlb_take_ethernet(&cursor, 0);
    if (type != NLB_TYPE_IPV4 && type != NLB_TYPE_IPV6) return parsed;
    packet.family = type == NLB_TYPE_IPV4 ? 4 : 6;
    packet.ip = nlb_take_addresses(&cursor, &packet);
    const bool whole = packet.ip && nlb_take_rest(&context, &cursor, &packet) == NLB_ACCEPTED;
    using enum ParsedFrame::How;
    parsed.how = !packet.ip ? cut_off : whole ? well_formed : malformed;
    return parsed;
}

std::optional<TcpSegment> parse_tcp(std::span<const std::uint8_t> frame) {
    const auto [how, packet] = parse(frame, static_cast<std::uint32_t>(frame.size()));
    if (how != ParsedFrame::How::well_formed || packet.kind != NLB_KIND_TCP) return std::nullopt;
    return TcpSegment{{packet.source[0], packet.source[1]},
                      {packet.destination[0], packet.destination[1]},
                      packet.source_port,
                      packet.destination_port,
                      nlb_load32(packet.tcp + 4),
                      nlb_load32(packet.tcp + 8),
                      packet.family,
                      packet.tcp_flags};
}

std::uint32_t reason_of(std::uint64_t word) { return NLB_WORD_REASON(word); }
std::uint32_t counter_of(std::uint64_t word) { return NLB_WORD_COUNTER(word); }
nlb_verdict verdict_of(std::uint64_t word) { return nlb_verdict_of(word); }

} // namespace filter
