/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The programs of tc, and one that calls the function that no other does without forwarding: so every kernel verifies it,
 * as those before 6.8 do by themselves.
 */
#include "filter/verdict/tc.bpf.c"

SEC("tc")
int nlbd_sends_on(struct __sk_buff *frame) {
    return send_on(frame, frame->mark, 1);
}
