/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The programs that the kernel runs with the tc datapath.
 *
 *   nlbd_ingress  sees every packet that the driver has handed to the stack, behind GRO, which may
 *                 have joined several: decides, counts, drops, or says that it is for this host,
 *                 whatever MAC it was sent to. Nothing is written into it. While the program is not
 *                 there, packets stay what Ethernet makes of them: for another host, or multicast
 *                 with a unicast IP in it, which the stack discards; so such a node is silent.
 *   nlbd_judge    the same verdict, for BPF_PROG_TEST_RUN: reports instead of counting, and repeats
 *                 what it was asked, which shows that the agent's tables are these.
 */
#define NLB_FRAME struct __sk_buff
#include "filter/verdict/program.h"
#include "filter/verdict/question.h"

#include <linux/pkt_cls.h>

/* Where headers are looked for that do not lie in the linear part. */
#define NLB_PULLED 2048

NLB_INLINE __u32 nlb_frame_length(void *frame) { return ((struct __sk_buff *)frame)->len; }

/* The stack has taken the outer tag off by now, if the card has not. A frame that somebody's generic
 * XDP program made the kernel copy begins with its IP header. */
NLB_INLINE __be16 take_ethernet(struct __sk_buff *frame, struct nlb_cursor *cursor) {
    const __be16 known = (__be16)frame->protocol;
    struct nlb_cursor behind = *cursor;
    __be16 type = nlb_take_ethernet(&behind, frame->vlan_present != 0);
    if (type != known && (known == NLB_TYPE_IPV4 || known == NLB_TYPE_IPV6)) return known;
    *cursor = behind;
    return type;
}

NLB_INLINE __u32 tag_taken_off(struct __sk_buff *frame) {
    if (!frame->vlan_present) return 0;
    return (__u16)frame->vlan_proto | (__u32)__builtin_bswap16((__u16)frame->vlan_tci) << 16;
}

NLB_INLINE long load_bytes(struct __sk_buff *frame, __u8 *to, __u32 length) {
    const __u32 tag = tag_taken_off(frame), most = NLB_REFUSED_MOST - 16;
    if (!tag) return bpf_skb_load_bytes(frame, 0, to, length);
    const __u32 rest = 1 + (__u32)nlb_bounded(length - 17, most, 0);
    *(__u32 *)(to + 12) = tag;
    return bpf_skb_load_bytes(frame, 0, to, 12) | bpf_skb_load_bytes(frame, 12, to + 16, rest);
}

/* By itself, since it may be called twice. */
__noinline __u64 decide(struct __sk_buff *frame) {
    struct nlb_cursor cursor = cursor_of(frame);
    __be16 type = take_ethernet(frame, &cursor);
    return nlb_decide(frame, &state, cursor, type);
}

/* Whether more of the frame can be read now, where the verdict has missed some. */
NLB_INLINE int can_read_more(struct __sk_buff *frame, __u64 word) {
    if (NLB_WORD_REASON(word) != NLB_HEADER_TOO_DEEP && NLB_WORD_REASON(word) != NLB_TOO_SHORT)
        return 0;
    __u32 most = frame->len < NLB_PULLED ? frame->len : NLB_PULLED;
    return (long)frame->data + most > (long)frame->data_end && bpf_skb_pull_data(frame, most) == 0;
}

SEC("tc")
int nlbd_ingress(struct __sk_buff *frame) {
    __u64 word = decide(frame);
    if (can_read_more(frame, word)) word = decide(frame);
    count(NLB_WORD_COUNTER(word));
    if (state.captured >> NLB_WORD_REASON(word) & 1) show(frame, word);
    if (NLB_WORD_REASON(word) == NLB_REFUSED) refuse(frame);
    if (NLB_WORD_REASON(word) > NLB_LAST_PASSED) return TC_ACT_SHOT;
    if (NLB_WORD_REASON(word) <= NLB_LAST_TAKEN)
        bpf_skb_change_type(frame, 0); /* PACKET_HOST */
    else if (asks_for_virtual_ip(nlb_active_config(&state), frame))
        return TC_ACT_SHOT;
    return TC_ACT_UNSPEC;
}

SEC("tc")
int nlbd_judge(struct __sk_buff *frame) {
    state.judged = nlb_verdict_of(decide(frame));
    state.answered = *(volatile __u64 *)&state.asked;
    return TC_ACT_OK;
}
