// SPDX-License-Identifier: Apache-2.0
#include "reference.hpp"

#include "filter/verdict.h"

NLB_INLINE int nlb_has_socket(void *, const struct nlb_packet *) { return 0; }

namespace {
std::uint64_t now_ns = 0;
}
NLB_INLINE __u64 nlb_boot_ns(void) { return now_ns; }

NLB_INLINE __u64 nlb_walk(void *, struct nlb_cursor cursor, __u8 protocol, __u32 payload) {
    return nlb_walk_extensions(cursor, protocol, payload);
}

NLB_INLINE int nlb_fragment(void *context, const struct nlb_packet *packet,
                            enum nlb_fragment what) {
    auto *state = static_cast<nlb_state *>(context);
    const __u64 addresses[] = {packet->source[0], packet->source[1], packet->destination[0],
                               packet->destination[1]};
    return nlb_remember_fragment(state->marks, nlb_active_config(state)->hash_key, addresses,
                                 nlb_fragment_word(packet, what), now_ns);
}

void set_reference_clock(std::uint64_t ns) { now_ns = ns; }

filter::Verdict reference(nlb_state &state, const std::vector<std::uint8_t> &frame) {
    nlb_cursor cursor = {frame.data(), frame.data() + frame.size(), 0,
                         static_cast<__u32>(frame.size())};
    return filter::to_verdict(nlb_decide(&state, &state, cursor));
}
