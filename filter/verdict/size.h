/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * How many buckets a rule's clients are spread over, and in how many groups nodes tell each other of them.
 */
#ifndef NLB_SIZE_H
#define NLB_SIZE_H

#ifndef NLB_BUCKETS
#define NLB_BUCKETS 65536 /* test/sim has fewer */
#endif
#define NLB_GROUPS 512
#define NLB_GROUP_SHIFT __builtin_ctz(NLB_BUCKETS / NLB_GROUPS)

#endif
