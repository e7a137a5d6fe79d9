/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The program of XDP that stands in front of tc with delivery = "forward". It spares the packets that most
 * often come to a receiver the way through the stack: those that are exactly one other node's.
 *
 *   nlbd_forward  sends such a packet on from the driver (XDP_TX), counted as tc would have counted it. Every
 *                 other one it leaves as it is, not counted, to the program of tc, which judges it again:
 *                 what is taken or dropped here, goes to several nodes, came to several machines or to
 *                 another one, or is to be shown by a capture. So this program decides nothing that tc would
 *                 decide otherwise, and without it everything goes on, at tc's price.
 *
 * The driver must leave VLAN tags in the frame (filter/xdp/front.cpp): what it has taken off is not seen here,
 * and a frame sent on would have lost it.
 */
#define NLB_FRAME struct xdp_md
#include "filter/verdict/send.h"

NLB_INLINE int nlb_forwards(void) { return 1; }

/* By itself: the verifier takes its loop once, instead of once for each way that leads there. */
__noinline int is_from_node(struct xdp_md *frame) {
    const struct nlb_paths *known = nlb_known_paths();
    const __u8 *ethernet = (const __u8 *)(long)frame->data;
    if (!known || ethernet + 14 > (const __u8 *)(long)frame->data_end) return 1;
    return nlb_is_from_node(ethernet, known);
}

NLB_INLINE int nlb_may_be_sent_on(void *context, const struct nlb_paths *known) {
    (void)known;
    return !is_from_node(context);
}

NLB_INLINE __u32 nlb_frame_length(void *frame) { return (__u32)bpf_xdp_get_buff_len(frame); }

NLB_INLINE __be16 take_ethernet(struct xdp_md *frame, struct nlb_cursor *cursor) {
    (void)frame;
    return nlb_take_ethernet(cursor, 0);
}

NLB_INLINE __u32 tag_taken_off(struct xdp_md *frame) {
    (void)frame;
    return 0;
}

NLB_INLINE long load_bytes(struct xdp_md *frame, __u8 *to, __u32 length) {
    return bpf_xdp_load_bytes(frame, 0, to, length);
}

NLB_INLINE int is_for_this_machine(struct xdp_md *frame) {
    const __u8 *mac = (const __u8 *)(long)frame->data;
    return mac + 14 <= (const __u8 *)(long)frame->data_end && nlb_mac_at(mac) == state.own_mac;
}

NLB_INLINE void write_mac(__u8 *to, const __u64 *mac) {
    *(__u32 *)to = (__u32)*mac;
    *(__u16 *)(to + 4) = (__u16)(*mac >> 32);
}

/* Nothing is written before everything is there. */
NLB_INLINE int send_on(struct xdp_md *frame, __u32 node) {
    const struct nlb_paths *known = nlb_known_paths();
    struct nlb_cursor cursor = cursor_of(frame);
    __u8 *ethernet = (__u8 *)(long)frame->data;
    const __be16 type = take_ethernet(frame, &cursor);
    __u8 *ip = (__u8 *)cursor.at;
    if (!known || ip + 20 > cursor.end) return XDP_PASS;
    if (type == NLB_TYPE_IPV4)
        nlb_take_hop4(ip + 8);
    else
        ip[7]--;
    write_mac(ethernet, &known->macs[nlb_bounded(node, NLB_MAX_NODES + 1, 0)]);
    write_mac(ethernet + 6, &state.own_mac);
    count_sent(node);
    return XDP_TX;
}

SEC("xdp.frags")
int nlbd_forward(struct xdp_md *frame) {
    if (!is_for_this_machine(frame)) return XDP_PASS;
    struct nlb_cursor cursor = cursor_of(frame);
    const __be16 type = take_ethernet(frame, &cursor);
    const __u64 word = nlb_decide(frame, &state, cursor, type);
    const __u32 node = nlb_fate_of(word); /* beyond these: taken, dropped, or several nodes' */
    if (node > NLB_MAX_NODES || state.captured >> NLB_WORD_REASON(word) & 1) return XDP_PASS;
    const int done = send_on(frame, node);
    if (done == XDP_TX) count(NLB_WORD_COUNTER(word));
    return done;
}
