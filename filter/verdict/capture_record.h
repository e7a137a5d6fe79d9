/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Frames with their verdicts, as the BPF programs show them to `nlbctl capture`. What XDP drops no
 * packet socket ever sees, so the program itself has to show it. The verdict is the one that the
 * frame got, and the frame is as it came, not yet readdressed. While no capture runs, that costs
 * one comparison with a word that is in the cache anyway.
 *
 * (A pair of fentry and fexit programs would cost nothing at all then; but kernels without function
 * tracing, and those that are locked down, do not load them.)
 */
#ifndef NLB_CAPTURE_RECORD_H
#define NLB_CAPTURE_RECORD_H

#include "filter/verdict/layout.h"

/* Of a frame; an entry of the kernel's ring holds at most 64 KiB. */
#define NLB_CAPTURE_MOST 65280
/* Frames in a second, on each processor; more are counted as lost. */
#define NLB_CAPTURE_A_SECOND 50000

/* Behind it comes the frame. */
struct nlb_capture_record {
    __u64 boot_ns; /* when the verdict was given */
    __u64 word;    /* the verdict */
    __u32 length;
    __u32 captured; /* bytes of it that follow */
    __u32 tag;      /* that was taken off before, as it lay behind the addresses; 0: none */
    __u32 zero;
};
NLB_ASSERT(sizeof(struct nlb_capture_record) == 32);

struct nlb_shown {
    __u64 lost; /* frames for which there was no room, or no time */
    __u64 second_ns;
    __u64 in_second;
};
NLB_ASSERT(sizeof(struct nlb_shown) == 24);

#endif
