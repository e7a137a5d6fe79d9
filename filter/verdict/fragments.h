/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Later fragments show no ports, so they do not show whose they are. Letting all of them in would
 * be correct, for the stack discards what has no first fragment, but only after half a minute:
 * meanwhile each node would hold the fragments of the whole cluster's clients, and its four
 * megabytes for them (net.ipv4.ipfrag_high_thresh) are full at a dozen datagrams a second. So a
 * first fragment that is dropped leaves a mark, and the later ones of its datagram drop too; one that
 * is sent on to another node leaves that node's number, and they follow it.
 *
 * A mark is one word in a table of fixed size, at the place where the datagram's hash points: its
 * high bits tell datagrams apart, the low ones are the time. Marks are only a help. One that was
 * overwritten, or has not come yet because fragments were overtaken by others, lets fragments in
 * that the stack then holds for a while, as it would without nlbd; one that is old does not count,
 * because a sender uses its numbers again. The hash is keyed, so that an attacker cannot aim a
 * mark at another sender's datagrams.
 */
#ifndef NLB_FRAGMENTS_H
#define NLB_FRAGMENTS_H

#include "filter/verdict/parse.h"
#include "filter/verdict/siphash.h"

#define NLB_MARK_BITS 16      /* that do not belong to the hash */
#define NLB_MARK_TIME_BITS 10 /* of those; above them: what became of the first fragment */
#define NLB_MARK_TIME_SHIFT 30 /* of nanoseconds: 1.07 s */
#define NLB_MARK_COUNTS_FOR 4

/* What became of a first fragment. 1 to NLB_MAX_NODES: it was sent on to that node. */
enum nlb_fate {
    NLB_FATE_UNKNOWN, /* also the question */
    NLB_FATE_DROPPED = 61,
    NLB_FATE_TAKEN = 62,
    NLB_FATE_SENT_TO_SEVERAL = 63,
};

/* What makes fragments one datagram: the addresses, the number that the sender gave it, and by
 * RFC 791 the protocol, which RFC 8200 leaves out. */
NLB_INLINE __u64 nlb_datagram_hash(const __u64 key[2], const struct nlb_packet *packet) {
    const __u64 addresses[4] = {packet->source[0], packet->source[1], packet->destination[0],
                                packet->destination[1]};
    const __u64 protocol = packet->family == 4 ? packet->protocol : 0, length = 37;
    return nlb_siphash(key, addresses, 4, packet->fragment_id | protocol << 32 | length << 56, 1, 3);
}

/* For a later fragment (NLB_FATE_UNKNOWN): what became of its first one. For a first one: remembers
 * that. `rewrites`: also when it was taken, which otherwise only ends another one's mark. */
NLB_INLINE __u32 nlb_remember_fragment(__u64 *marks, const __u64 key[2],
                                       const struct nlb_packet *packet, __u32 fate, int rewrites,
                                       __u64 now_ns) {
    const __u64 time_mask = (1 << NLB_MARK_TIME_BITS) - 1, low = (1 << NLB_MARK_BITS) - 1;
    const __u64 hash = nlb_datagram_hash(key, packet);
    __u64 *mark = &marks[hash & (NLB_MARKS - 1)], now = now_ns >> NLB_MARK_TIME_SHIFT;
    int known = (*mark ^ hash) >> NLB_MARK_BITS == 0;
    if (fate == NLB_FATE_UNKNOWN)
        return known && ((now - *mark) & time_mask) <= NLB_MARK_COUNTS_FOR
                   ? (__u32)(*mark >> NLB_MARK_TIME_BITS) & 63
                   : 0;
    if (fate != NLB_FATE_TAKEN || rewrites)
        *mark = (hash & ~low) | (__u64)(fate & 63) << NLB_MARK_TIME_BITS | (now & time_mask);
    else if (known)
        *mark = 0;
    return 0;
}

/* Calls nlb_remember_fragment; the including file defines it. */
NLB_INLINE __u32 nlb_fragment(void *context, const struct nlb_packet *packet, __u32 fate);

#endif
