/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The programs that the kernel runs with the XDP datapath (tc.bpf.c: with the tc datapath).
 *
 *   nlbd_xdp    sees every frame first: decides, counts, drops, or lets it in under the interface's
 *               own MAC.
 *   nlbd_tc     sees what XDP let through, and finishes its work: a frame that came in under the
 *               cluster's MAC was marked "not for this host" before XDP saw it (veth), and TCP
 *               discards those. It is also the second lock: a frame to a virtual IP that XDP has
 *               not readdressed was not judged, and goes no further. So a node whose XDP program
 *               was removed by hand is silent, not open. And the kernel is never asked who has a
 *               virtual IP, because it would answer for any interface that has the address,
 *               too; the agent hears the question from here.
 *   nlbd_judge  the same verdict as nlbd_xdp, for BPF_PROG_TEST_RUN: reports instead of counting,
 *               and repeats what it was asked, which shows that the agent's tables are these.
 */
#define NLB_FRAME struct xdp_md
#include "filter/verdict/program.h"
#include "filter/verdict/question.h"

#include <linux/pkt_cls.h>

/* Only tc sends packets on. */
NLB_INLINE int nlb_forwards(void) { return 0; }
NLB_INLINE const struct nlb_paths *nlb_known_paths(void) { return 0; }
NLB_INLINE __u32 nlb_number_of(__u32 table, __u32 bucket) { return 0 * (table + bucket); }
NLB_INLINE int nlb_may_be_sent_on(void *frame, const struct nlb_paths *paths) {
    return 0 * (frame && paths);
}

NLB_INLINE __u32 nlb_frame_length(void *frame) { return (__u32)bpf_xdp_get_buff_len(frame); }

NLB_INLINE __be16 take_ethernet(struct xdp_md *frame, struct nlb_cursor *cursor) {
    (void)frame;
    return nlb_take_ethernet(cursor, 0);
}

NLB_INLINE __u32 tag_taken_off(struct xdp_md *frame) {
    (void)frame;
    return 0; /* XDP does not tell */
}

NLB_INLINE long load_bytes(struct xdp_md *frame, __u8 *to, __u32 length) {
    return bpf_xdp_load_bytes(frame, 0, to, length);
}

/* From here on the frame is one for this host alone. */
NLB_INLINE void readdress(struct xdp_md *frame) {
    __u8 *mac = (__u8 *)(long)frame->data;
    if (mac + 6 > (__u8 *)(long)frame->data_end) return;
    *(__u32 *)mac = (__u32)state.own_mac;
    *(__u16 *)(mac + 4) = (__u16)(state.own_mac >> 32);
}

NLB_INLINE __u64 decide(struct xdp_md *frame) {
    struct nlb_cursor cursor = cursor_of(frame);
    __be16 type = take_ethernet(frame, &cursor);
    return nlb_decide(frame, &state, cursor, type);
}

SEC("xdp.frags")
int nlbd_xdp(struct xdp_md *frame) {
    __u64 word = decide(frame);
    count(NLB_WORD_COUNTER(word));
    if (state.captured >> NLB_WORD_REASON(word) & 1) show(frame, word);
    if (NLB_WORD_REASON(word) == NLB_REFUSED) refuse(frame);
    if (NLB_WORD_REASON(word) > NLB_LAST_PASSED) return XDP_DROP;
    if (NLB_WORD_REASON(word) <= NLB_LAST_TAKEN) readdress(frame);
    return XDP_PASS;
}

SEC("xdp.frags")
int nlbd_judge(struct xdp_md *frame) {
    state.judged = nlb_verdict_of(decide(frame));
    state.answered = *(volatile __u64 *)&state.asked;
    return XDP_PASS;
}

/* A frame to a virtual IP: has XDP readdressed it? */
NLB_INLINE int finish(struct __sk_buff *frame, struct nlb_cursor *cursor, __u8 family,
                      const __u8 *mac) {
    struct nlb_packet packet = {};
    int virtual_ip = 0;
    packet.family = family;
    if (nlb_find_destination(nlb_active_config(&state), cursor, &packet, &virtual_ip) !=
        NLB_ACCEPTED)
        return TC_ACT_UNSPEC;
    __u64 destination = nlb_load32(mac) | (__u64)nlb_load16(mac + 4) << 32;
    if (destination == state.own_mac) {
        bpf_skb_change_type(frame, 0); /* PACKET_HOST */
        return TC_ACT_UNSPEC;
    }
    if (family == 6 && packet.ip[6] == NLB_IP_ICMPV6) {
        const __u8 *type = nlb_take(cursor, 1);
        if (type && nlb_is_neighbour_discovery(*type))
            return TC_ACT_UNSPEC; /* it keeps the cluster's address */
    }
    count(NLB_UNFILTERED);
    return TC_ACT_SHOT;
}

SEC("tc")
int nlbd_tc(struct __sk_buff *frame) {
    if (asks_for_virtual_ip(frame)) return TC_ACT_SHOT;
    const __u32 enough = 14 + 8 + 40 + 8 + 40; /* tags, addresses, ICMPv6 */
    if ((long)frame->data + enough > (long)frame->data_end)
        bpf_skb_pull_data(frame, frame->len < enough ? frame->len : enough);
    struct nlb_cursor cursor = {(const __u8 *)(long)frame->data,
                                (const __u8 *)(long)frame->data_end, 0};
    const __u8 *mac = cursor.at;
    __be16 type = nlb_take_ethernet(&cursor, 0);
    if (type == NLB_TYPE_IPV4) return finish(frame, &cursor, 4, mac);
    if (type == NLB_TYPE_IPV6) return finish(frame, &cursor, 6, mac);
    if (!nlb_is_tag(type)) return TC_ACT_UNSPEC;
    count(NLB_UNFILTERED);
    return TC_ACT_SHOT;
}
