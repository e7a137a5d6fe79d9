/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * delivery = "forward": where a packet goes that came here and is another node's. The verdict stays what it
 * is everywhere: this only finds the nodes that a switch that floods would have brought the packet to, and
 * that may want it.
 *
 * They are the node that serves the bucket by this node's table, and, if the packet may belong to an open
 * connection, those that say that they hold some of the bucket's group. Each of them judges its copy by
 * itself, so a stale table here costs a detour or the packet, and no packet is ever accepted twice.
 *
 * What a node of the cluster has sent is not sent on again: its source is a node's MAC. And each time a
 * packet is sent on it loses a hop, so that not even nodes that know no MAC of each other send it round
 * for ever.
 */
#ifndef NLB_FORWARD_H
#define NLB_FORWARD_H

#include "filter/verdict/fragments.h"

/* A verdict in one word, which stays in a register: the counter that belongs to it (reason and table
 * number plus one), above it the bucket's number plus one, and the nodes that the packet is sent on to, bit
 * n - 1 for node n. */
#define NLB_WORD_REASON(word) ((__u32)(word) & ((1 << NLB_REASON_BITS) - 1))
#define NLB_WORD_COUNTER(word) ((__u32)(word)&0xfff)
#define NLB_WORD_BUCKET(word) ((__u32)(word) >> 12 & 0x1ffff)
#define NLB_WORD_NODES(word) ((__u32)((word) >> 32))
NLB_ASSERT(NLB_COUNTERS <= 0xfff + 1);

NLB_INLINE __u64 nlb_word(enum nlb_reason reason, __u32 table, __u64 buckets) {
    return buckets << 12 | (table + 1) << NLB_REASON_BITS | reason;
}

NLB_INLINE struct nlb_verdict nlb_verdict_of(__u64 word) {
    struct nlb_verdict verdict = {NLB_WORD_REASON(word),
                                  (__s32)(NLB_WORD_COUNTER(word) >> NLB_REASON_BITS) - 1,
                                  (__s32)NLB_WORD_BUCKET(word) - 1};
    return verdict;
}

/* The including file defines these; they are called only where nlb_forwards(). */
NLB_INLINE const struct nlb_paths *nlb_known_paths(void);             /* null: none yet */
NLB_INLINE __u32 nlb_number_of(__u32 table, __u32 bucket);      /* 0: no node's */
/* Whether no node of the cluster has sent it, and it came to this machine alone. */
NLB_INLINE int nlb_may_be_sent_on(void *context, const struct nlb_paths *paths);

NLB_INLINE __u32 nlb_node_bit(__u32 number) { return number ? 1u << ((number - 1) & 31) : 0; }

/* The nodes that hold, or may hold, the open connection that the packet is of. */
NLB_INLINE __u32 nlb_holders(const struct nlb_paths *paths, const struct nlb_packet *packet,
                             __u32 bucket) {
    const __u8 opening = packet->tcp_flags & (NLB_TCP_SYN | NLB_TCP_ACK | NLB_TCP_RST);
    if (packet->kind != NLB_KIND_TCP || opening == NLB_TCP_SYN) return 0;
    return paths->lingering[bucket >> NLB_GROUP_SHIFT & (NLB_GROUPS - 1)];
}

/* A later fragment goes where the first one went; when that has not been seen, everywhere. */
NLB_INLINE __u32 nlb_after_first(const struct nlb_paths *paths, __u32 fate) {
    if (fate == NLB_FATE_UNKNOWN || fate == NLB_FATE_SENT_TO_SEVERAL) return paths->others;
    return fate <= NLB_MAX_NODES ? nlb_node_bit(fate) : 0;
}

/* The nodes that may want the packet, including nodes whose MAC is not known. */
NLB_INLINE __u32 nlb_wanted_by(const struct nlb_paths *paths, const struct nlb_packet *packet,
                               __u64 word, __u32 fate) {
    const __u32 reason = NLB_WORD_REASON(word), bucket = NLB_WORD_BUCKET(word) - 1;
    const __u32 table = (NLB_WORD_COUNTER(word) >> NLB_REASON_BITS) - 1;
    switch (reason) {
    case NLB_ICMP_ERROR:
        return paths->others;
    case NLB_LATER_FRAGMENT:
    case NLB_FOREIGN_FRAGMENT:
        return nlb_after_first(paths, fate);
    case NLB_FOREIGN:
    case NLB_LINGERING_SYN:
    case NLB_LINGERING_NO_SOCKET:
    case NLB_NO_OWNER:
    case NLB_RULE_DISABLED:
        return nlb_node_bit(nlb_number_of(table, bucket)) | nlb_holders(paths, packet, bucket);
    case NLB_GUARDED:
    case NLB_LEASE_EXPIRED:
        return nlb_holders(paths, packet, bucket);
    default:
        return 0;
    }
}

/* The word with the nodes that the packet is sent on to. What is dropped here and sent on is
 * `forwarded`; what is taken keeps its reason. */
NLB_INLINE __u64 nlb_with_path(void *context, const struct nlb_packet *packet, __u64 word,
                               __u32 fate) {
    const __u64 place = word & ~(__u64)((1 << NLB_REASON_BITS) - 1);
    const struct nlb_paths *paths = nlb_known_paths();
    if (!paths || !nlb_may_be_sent_on(context, paths)) return word;
    __u32 wanted = nlb_wanted_by(paths, packet, word, fate), nodes = wanted & paths->others;
    const int drops = NLB_WORD_REASON(word) > NLB_LAST_PASSED;
    if (wanted && !nodes && NLB_WORD_REASON(word) == NLB_FOREIGN) return place | NLB_NO_PATH;
    if (!nodes) return word;
    if (packet->hops <= 1) return drops ? place | NLB_HOP_LIMIT : word;
    return (drops ? place | NLB_FORWARDED : word) | (__u64)nodes << 32;
}

/* For the later fragments, after the verdict over the first one. */
NLB_INLINE __u32 nlb_fate_of(__u64 word) {
    const __u32 nodes = NLB_WORD_NODES(word);
    if (NLB_WORD_REASON(word) <= NLB_LAST_PASSED) return NLB_FATE_TAKEN;
    if (!nodes) return NLB_FATE_DROPPED;
    if (nodes & (nodes - 1)) return NLB_FATE_SENT_TO_SEVERAL;
    return 1 + ((nodes & 0xffff0000) != 0) * 16 + ((nodes & 0xff00ff00) != 0) * 8 +
           ((nodes & 0xf0f0f0f0) != 0) * 4 + ((nodes & 0xcccccccc) != 0) * 2 +
           ((nodes & 0xaaaaaaaa) != 0);
}

#endif
