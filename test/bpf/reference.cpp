// SPDX-License-Identifier: Apache-2.0
#include "reference.hpp"

#include "filter/verdict.h"

NLB_INLINE int nlb_has_socket(void *, const struct nlb_packet *) { return 0; }

NLB_INLINE __u64 nlb_boot_ns(void) { return 0; }

NLB_INLINE __u64 nlb_walk(void *, struct nlb_cursor cursor, __u8 protocol, __u32 payload) {
    return nlb_walk_extensions(cursor, protocol, payload);
}

filter::Verdict reference(const nlb_state &state, const std::vector<std::uint8_t> &frame) {
    nlb_cursor cursor = {frame.data(), frame.data() + frame.size(), 0,
                         static_cast<__u32>(frame.size())};
    return filter::to_verdict(nlb_decide(nullptr, &state, cursor));
}
