/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0
 *
 * SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012), and the bucket of a
 * packet.
 *
 * The hash is keyed because clients choose what goes into it: with a hash that anybody can compute,
 * one client could pick ports that all fall to one node. SipHash-1-3 (one round a block, three at
 * the end) is the variant that Rust and Python use for hash tables; with (2, 4) the same function
 * gives the paper's vectors.
 *
 * A message of up to seven bytes is a single block, which is every IPv4 case: 7 ns. The message
 * comes as words, not bytes: `words` holds `count` whole little-endian ones, `last` the up to seven
 * bytes that remain with the message's length in the top byte.
 */
#ifndef NLB_SIPHASH_H
#define NLB_SIPHASH_H

#include "filter/layout.h"

NLB_INLINE __u64 nlb_rotate(__u64 value, int bits) { return value << bits | value >> (64 - bits); }

/* A round in two parts. The message is mixed into d, which the first part leaves alone. */
NLB_INLINE void nlb_sip_begin_round(struct nlb_sip *v) {
    v->a += v->b;
    v->b = nlb_rotate(v->b, 13) ^ v->a;
    v->a = nlb_rotate(v->a, 32);
}

NLB_INLINE void nlb_sip_end_round(struct nlb_sip *v) {
    v->c += v->d;
    v->d = nlb_rotate(v->d, 16) ^ v->c;
    v->a += v->d;
    v->d = nlb_rotate(v->d, 21) ^ v->a;
    v->c += v->b;
    v->b = nlb_rotate(v->b, 17) ^ v->c;
    v->c = nlb_rotate(v->c, 32);
}

NLB_INLINE void nlb_sip_rounds(struct nlb_sip *v, int rounds) {
    for (int i = 0; i < rounds; i++) {
        nlb_sip_begin_round(v);
        nlb_sip_end_round(v);
    }
}

/* What a key alone decides: everything up to the middle of the first round. */
NLB_INLINE struct nlb_sip nlb_sip_start(const __u64 key[2]) {
    struct nlb_sip v = {key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
                        key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL};
    nlb_sip_begin_round(&v);
    return v;
}

/* One block; its first round has begun. */
NLB_INLINE void nlb_sip_block(struct nlb_sip *v, __u64 word, int rounds) {
    v->d ^= word;
    nlb_sip_end_round(v);
    nlb_sip_rounds(v, rounds - 1);
    v->a ^= word;
}

NLB_INLINE __u64 nlb_siphash(const struct nlb_sip *start, const __u64 *words, unsigned count,
                             __u64 last, int block_rounds, int final_rounds) {
    struct nlb_sip v = *start;
    for (unsigned i = 0; i < count; i++) {
        nlb_sip_block(&v, words[i], block_rounds);
        nlb_sip_begin_round(&v);
    }
    nlb_sip_block(&v, last, block_rounds);
    v.c ^= 0xff;
    nlb_sip_rounds(&v, final_rounds);
    return v.a ^ v.b ^ v.c ^ v.d;
}

/* The bucket of a source: what is hashed is the address (single), its first 3 or 8 bytes (network:
 * /24, /64), or the address and the port (none), all in network order. */
NLB_INLINE __u32 nlb_bucket(const struct nlb_sip *start, __u8 affinity, __u8 family, const __u64 source[2],
                            __be16 port) {
    const __u64 length = (__u64)1 << 56;
    __u64 hash;
    if (family == 4) {
        __u64 last = source[0] | 4 * length;
        if (affinity == NLB_AFFINITY_NETWORK)
            last = (source[0] & 0xffffff) | 3 * length;
        else if (affinity == NLB_AFFINITY_NONE)
            last = source[0] | (__u64)port << 32 | 6 * length;
        hash = nlb_siphash(start, 0, 0, last, 1, 3);
    } else if (affinity == NLB_AFFINITY_NETWORK) {
        hash = nlb_siphash(start, source, 1, 8 * length, 1, 3);
    } else {
        __u64 last = affinity == NLB_AFFINITY_NONE ? port | 18 * length : 16 * length;
        hash = nlb_siphash(start, source, 2, last, 1, 3);
    }
    return (__u32)hash & (NLB_BUCKETS - 1);
}

#endif
