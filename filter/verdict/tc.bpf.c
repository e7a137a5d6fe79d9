/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The programs that the kernel runs with the tc datapath.
 *
 *   nlbd_ingress  sees every packet that the driver has handed to the stack, behind GRO, which may
 *                 have joined several: decides, counts, drops, or says that it is for this host,
 *                 whatever MAC it was sent to. Nothing is written into it. While the program is not
 *                 there, packets stay what Ethernet makes of them: for another host, or multicast
 *                 with a unicast IP in it, which the stack discards; so such a node is silent.
 *                 With delivery = "forward" it also sends packets of other nodes on to them, out of the
 *                 interface by which they came, and marks what it lets in: frames carry this machine's own
 *                 MAC then, so without the program Ethernet would keep none out, and the second lock is
 *                 a chain behind this that lets in nothing without the mark (filter/nft).
 *   nlbd_judge    the same verdict, for BPF_PROG_TEST_RUN: reports instead of counting, and repeats
 *                 what it was asked, which shows that the agent's tables are these.
 */
#define NLB_FRAME struct __sk_buff
#include "filter/verdict/program.h"
#include "filter/verdict/question.h"
#include "filter/verdict/send.h"

#include <linux/pkt_cls.h>

/* Written before the program is loaded: delivery = "forward". */
const volatile __u32 forwards = 0;

NLB_INLINE int nlb_forwards(void) { return forwards != 0; }

/* What has come to several machines, each of them has. A frame without Ethernet header (below) cannot be
 * sent. */
NLB_INLINE int nlb_may_be_sent_on(void *context, const struct nlb_paths *known) {
    struct __sk_buff *frame = context;
    const __u8 *ethernet = (const __u8 *)(long)frame->data;
    if (frame->pkt_type == 1 || frame->pkt_type == 2) return 0; /* PACKET_BROADCAST, _MULTICAST */
    if (ethernet + 14 > (const __u8 *)(long)frame->data_end) return 0;
    const __be16 type = nlb_load16(ethernet + 12);
    if (type != NLB_TYPE_IPV4 && type != NLB_TYPE_IPV6 && !nlb_is_tag(type)) return 0;
    return !nlb_is_from_node(ethernet, known);
}

/* Where headers are looked for that do not lie in the linear part. */
#define NLB_PULLED 2048

NLB_INLINE __u32 nlb_frame_length(void *frame) { return ((struct __sk_buff *)frame)->len; }

/* The stack has taken the outer tag off by now, if the card has not. A frame that the kernel has
 * copied for a foreign generic XDP program begins with its IP header. */
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

/* One hop less, for this copy. */
NLB_INLINE long take_a_hop(struct __sk_buff *frame, __u32 offset, __be16 type, __u32 *before) {
    if (type == NLB_TYPE_IPV6) {
        __u8 hops = 0;
        if (bpf_skb_load_bytes(frame, offset + 7, &hops, 1) != 0) return -1;
        *before = hops--;
        return bpf_skb_store_bytes(frame, offset + 7, &hops, 1, 0);
    }
    __u8 ip[4] = {}; /* hops, protocol, checksum */
    if (bpf_skb_load_bytes(frame, offset + 8, ip, 4) != 0) return -1;
    *before = nlb_load32(ip);
    nlb_take_hop4(ip);
    return bpf_skb_store_bytes(frame, offset + 8, ip, 4, 0);
}

/* To each of these nodes a copy, from this machine's MAC. What is taken as well is afterwards as it was.
 * Before Linux 6.8 the verifier looks at it even where nothing calls it, and without forwarding its maps are
 * too small for it. */
__noinline int send_on(struct __sk_buff *frame, __u32 nodes, __u32 taken) {
    if (!forwards) return TC_ACT_SHOT;
    const struct nlb_paths *known = nlb_known_paths();
    struct nlb_cursor cursor = cursor_of(frame);
    const __be16 type = take_ethernet(frame, &cursor);
    const __u32 offset = cursor.offset;
    __u8 macs[12], found[12];
    __u32 before = 0;
    if (!known || bpf_skb_load_bytes(frame, 0, found, 12) != 0 ||
        take_a_hop(frame, offset, type, &before) != 0)
        return TC_ACT_SHOT;
    __builtin_memcpy(macs + 6, &state.own_mac, 6);
    for (__u32 node = 1; node <= NLB_MAX_NODES; node++) {
        if (!(nodes & nlb_node_bit(node))) continue;
        nodes &= ~nlb_node_bit(node);
        __builtin_memcpy(macs, &known->macs[node], 6);
        if (bpf_skb_store_bytes(frame, 0, macs, 12, 0) != 0) return TC_ACT_SHOT;
        count_sent(node);
        if (!nodes && !taken) return (int)bpf_redirect(frame->ifindex, 0);
        bpf_clone_redirect(frame, frame->ifindex, 0);
    }
    bpf_skb_store_bytes(frame, 0, found, 12, 0);
    const int four = type == NLB_TYPE_IPV4;
    bpf_skb_store_bytes(frame, offset + (four ? 8 : 7), &before, four ? 4 : 1, 0);
    return TC_ACT_UNSPEC;
}

/* To another machine's MAC: this interface hears what is not for it. In front of all that is ours where
 * frames come to one machine alone; the stack discards it. */
NLB_INLINE int is_elsewhere(struct __sk_buff *frame) {
    return forwards && frame->pkt_type == 3; /* PACKET_OTHERHOST */
}

SEC("tc")
int nlbd_ingress(struct __sk_buff *frame) {
    if (is_elsewhere(frame)) return TC_ACT_UNSPEC;
    __u64 word = decide(frame);
    if (can_read_more(frame, word)) word = decide(frame);
    count(NLB_WORD_COUNTER(word));
    if (state.captured >> NLB_WORD_REASON(word) & 1) show(frame, word);
    if (NLB_WORD_REASON(word) == NLB_REFUSED) refuse(frame);
    const __u32 taken = NLB_WORD_REASON(word) <= NLB_LAST_TAKEN;
    if (forwards && NLB_WORD_NODES(word)) {
        int done = send_on(frame, NLB_WORD_NODES(word), taken);
        if (!taken) return done;
    }
    if (NLB_WORD_REASON(word) > NLB_LAST_PASSED) return TC_ACT_SHOT;
    if (taken && forwards) frame->mark = NLB_LOCK_MARK;
    if (taken)
        bpf_skb_change_type(frame, 0); /* PACKET_HOST */
    else if (asks_for_virtual_ip(frame))
        return TC_ACT_SHOT;
    return TC_ACT_UNSPEC;
}

SEC("tc")
int nlbd_judge(struct __sk_buff *frame) {
    state.judged = nlb_verdict_of(decide(frame));
    state.answered = *(volatile __u64 *)&state.asked;
    return TC_ACT_OK;
}
