/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Later fragments show no ports, so they do not show whose they are. Letting all of them in would
 * be correct, for the stack discards what has no first fragment, but only after half a minute:
 * meanwhile each node would hold the fragments of the whole cluster's clients, and its four
 * megabytes for them (net.ipv4.ipfrag_high_thresh) are full at a dozen datagrams a second. So a
 * first fragment that is dropped leaves a mark, and the later ones of its datagram drop too.
 *
 * A mark is one word in a table of fixed size, at the place where the datagram's hash points: its
 * high bits tell datagrams apart, the low ones are the time. Marks are only a help. One that was
 * overwritten, or has not come yet because fragments were overtaken by others, lets fragments in
 * that the stack then holds for a while, as it would without nlbd; one that is old does not count,
 * because a sender uses its numbers again. The hash is keyed, so that nobody can aim a mark at
 * another's datagrams.
 */
#ifndef NLB_FRAGMENTS_H
#define NLB_FRAGMENTS_H

#include "filter/verdict/parse.h"
#include "filter/verdict/siphash.h"

#define NLB_MARK_TIME_BITS 16
#define NLB_MARK_TIME_SHIFT 30 /* of nanoseconds: 1.07 s */
#define NLB_MARK_COUNTS_FOR 4

enum nlb_fragment { NLB_LATER_ONE, NLB_FIRST_TAKEN, NLB_FIRST_DROPPED };

/* What makes fragments one datagram: the addresses, the number that the sender gave it, and by
 * RFC 791 the protocol, which RFC 8200 leaves out. */
NLB_INLINE __u64 nlb_datagram_hash(const __u64 key[2], const struct nlb_packet *packet) {
    const __u64 addresses[4] = {packet->source[0], packet->source[1], packet->destination[0],
                                packet->destination[1]};
    const __u64 protocol = packet->family == 4 ? packet->protocol : 0, length = 37;
    return nlb_siphash(key, addresses, 4, packet->fragment_id | protocol << 32 | length << 56, 1, 3);
}

/* For a later fragment: whether its first one was dropped. For a first one: remembers that. */
NLB_INLINE int nlb_remember_fragment(__u64 *marks, const __u64 key[2],
                                     const struct nlb_packet *packet, enum nlb_fragment what,
                                     __u64 now_ns) {
    const __u64 time_mask = (1 << NLB_MARK_TIME_BITS) - 1;
    const __u64 hash = nlb_datagram_hash(key, packet);
    __u64 *mark = &marks[hash & (NLB_MARKS - 1)], now = now_ns >> NLB_MARK_TIME_SHIFT;
    int known = (*mark ^ hash) >> NLB_MARK_TIME_BITS == 0;
    if (what == NLB_LATER_ONE) return known && (__u16)(now - *mark) <= NLB_MARK_COUNTS_FOR;
    if (what == NLB_FIRST_DROPPED)
        *mark = (hash & ~time_mask) | (now & time_mask);
    else if (known)
        *mark = 0;
    return 0;
}

/* Calls nlb_remember_fragment; defined by whoever includes this file. */
NLB_INLINE int nlb_fragment(void *context, const struct nlb_packet *packet, enum nlb_fragment what);

#endif
