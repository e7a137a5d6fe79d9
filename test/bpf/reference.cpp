// SPDX-License-Identifier: Apache-2.0
#include "reference.hpp"

#include "filter/verdict.h"

NLB_INLINE int nlb_has_socket(void *) { return 0; }

namespace {
std::uint64_t now_ns = 0;
}
NLB_INLINE __u64 nlb_boot_ns(void) { return now_ns; }

NLB_INLINE __u64 nlb_walk(void *, struct nlb_cursor cursor, __u8 protocol, __u32 payload) {
    return nlb_walk_extensions(cursor, protocol, payload);
}

namespace {
struct Context {
    nlb_state &state;
    __u32 frame_length;
};
} // namespace

NLB_INLINE __u32 nlb_frame_length(void *context) {
    return static_cast<Context *>(context)->frame_length;
}

NLB_INLINE int nlb_fragment(void *context, const struct nlb_packet *packet,
                            enum nlb_fragment what) {
    nlb_state &state = static_cast<Context *>(context)->state;
    return nlb_remember_fragment(state.marks, &nlb_active_config(&state)->hash_start, packet, what,
                                 now_ns);
}

void set_reference_clock(std::uint64_t ns) { now_ns = ns; }

filter::Verdict reference(nlb_state &state, const std::vector<std::uint8_t> &frame) {
    Context context{state, static_cast<__u32>(frame.size())};
    nlb_cursor cursor = {frame.data(), frame.data() + frame.size(), 0};
    return filter::to_verdict(nlb_verdict_of(nlb_decide(&context, &state, cursor)));
}
