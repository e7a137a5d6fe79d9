/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * SipHash (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): its values cannot be
 * predicted without the key. It fills the tables of the buckets' hash, and is the hash of what is
 * seldom needed.
 *
 * The message comes as words, not bytes: `words` holds `count` whole little-endian ones, `last` the
 * up to seven bytes that remain with the message's length in the top byte. With (2, 4) rounds it
 * gives the paper's vectors; (1, 3) is the variant that Rust and Python use for hash tables.
 */
#ifndef NLB_SIPHASH_H
#define NLB_SIPHASH_H

#include "filter/verdict/layout.h"

struct nlb_sip {
    __u64 a, b, c, d;
};

NLB_INLINE __u64 nlb_rotate(__u64 value, int bits) { return value << bits | value >> (64 - bits); }

NLB_INLINE void nlb_sip_rounds(struct nlb_sip *v, int rounds) {
    for (int i = 0; i < rounds; i++) {
        v->a += v->b;
        v->b = nlb_rotate(v->b, 13) ^ v->a;
        v->a = nlb_rotate(v->a, 32);
        v->c += v->d;
        v->d = nlb_rotate(v->d, 16) ^ v->c;
        v->a += v->d;
        v->d = nlb_rotate(v->d, 21) ^ v->a;
        v->c += v->b;
        v->b = nlb_rotate(v->b, 17) ^ v->c;
        v->c = nlb_rotate(v->c, 32);
    }
}

NLB_INLINE void nlb_sip_block(struct nlb_sip *v, __u64 word, int rounds) {
    v->d ^= word;
    nlb_sip_rounds(v, rounds);
    v->a ^= word;
}

NLB_INLINE __u64 nlb_siphash(const __u64 key[2], const __u64 *words, unsigned count, __u64 last,
                             int block_rounds, int final_rounds) {
    struct nlb_sip v = {key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
                        key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL};
    for (unsigned i = 0; i < count; i++)
        nlb_sip_block(&v, words[i], block_rounds);
    nlb_sip_block(&v, last, block_rounds);
    v.c ^= 0xff;
    nlb_sip_rounds(&v, final_rounds);
    return v.a ^ v.b ^ v.c ^ v.d;
}

#endif
