/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The bucket of a packet: a keyed hash of the fields that its rule's affinity names.
 *
 * It is keyed because clients choose what goes into it: with a hash that anyone can compute, one
 * client could pick ports that all fall to one node. And it is what every foreign packet costs, so
 * it is made for few instructions: mixed tabulation (Dahlgaard, Knudsen, Rotenberg and Thorup,
 * "Hashing for statistics over k-partitions", 2015). Each byte looks up a random number in a table
 * of its place, and those are xored; two bytes of the sum look up two more. All tables are secret:
 * SipHash has filled them from the cluster key. Unlike the keyed hash of network cards (Toeplitz, of
 * receive side scaling) it is not linear: from three hashes a fourth does not follow.
 *
 * What SipHash itself cost instead, and what it is better at: README.md, "Rejected".
 */
#ifndef NLB_BUCKET_H
#define NLB_BUCKET_H

#include "filter/verdict/layout.h"

/* `count` bytes of a word, the lowest first, each in the table of its place. */
NLB_INLINE __u32 nlb_look_up(const struct nlb_hash *hash, int place, __u64 word, int count) {
    __u32 sum = 0;
    for (int i = 0; i < count; i++)
        sum ^= hash->places[place + i][word >> 8 * i & 0xff];
    return sum;
}

/* The bucket of a source: of its address (single), of the first 3 or 8 bytes of that (network: /24,
 * /64), or of address and port (none), all in network order. */
NLB_INLINE __u32 nlb_bucket(const struct nlb_hash *hash, __u8 affinity, __u8 family,
                            const __u64 source[2], __be16 port) {
    __u32 sum = nlb_look_up(hash, 0, source[0], family == 4 ? 3 : 8);
    if (affinity != NLB_AFFINITY_NETWORK)
        sum ^= family == 4 ? nlb_look_up(hash, 3, source[0] >> 24, 1)
                           : nlb_look_up(hash, 8, source[1], 8);
    if (affinity == NLB_AFFINITY_NONE) sum ^= nlb_look_up(hash, 16, port, 2);
    sum ^= hash->mixed[0][sum >> 16 & 0xff] ^ hash->mixed[1][sum >> 24];
    nlb_forget(sum);
    return sum & (NLB_BUCKETS - 1);
}

#endif
