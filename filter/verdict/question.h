/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Who has a virtual IP? By ARP or a neighbour solicitation. The kernel must not hear it,
 * because it would answer for any interface that has the address, too; the agent has heard it by
 * the time that a tc program sees it.
 */
#ifndef NLB_QUESTION_H
#define NLB_QUESTION_H

#include "filter/verdict/verdict.h"

NLB_INLINE int behind_ethernet(struct __sk_buff *frame, __u32 offset, void *to, __u32 size) {
    return bpf_skb_load_bytes_relative(frame, offset, to, size, BPF_HDR_START_NET) == 0;
}

/* Not read by way of the frame's beginning: a frame
 * that generic XDP had to copy, since the bridge gave it to several ports, comes without Ethernet header. */
NLB_INLINE int asks_for_virtual_ip(const struct nlb_config *config, struct __sk_buff *frame) {
    struct nlb_packet asked = {};
    __u8 next = 0, type = 0;
    if (frame->protocol == NLB_TYPE_ARP) {
        asked.family = 4;
        if (!behind_ethernet(frame, 24, asked.destination, 4)) return 0;
    } else if (frame->protocol == NLB_TYPE_IPV6) {
        asked.family = 6;
        if (!behind_ethernet(frame, 6, &next, 1) || next != NLB_IP_ICMPV6) return 0;
        if (!behind_ethernet(frame, 40, &type, 1) || type != NLB_NEIGHBOUR_SOLICITATION) return 0;
        if (!behind_ethernet(frame, 48, asked.destination, 16)) return 0;
    } else {
        return 0;
    }
    return nlb_find_virtual_ip(config, &asked) >= 0;
}

#endif
