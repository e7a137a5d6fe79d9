/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The far end of the wire, as fast as one processor can be: the kernel runs one of these on copies
 * of a frame (BPF_PROG_TEST_RUN, live frames), which gives each a source of its own and sends it
 * into the wire. And the yardsticks: programs that do nothing but drop, or pass.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

char bench_license[] SEC("license") = "Dual BSD/GPL";

#define SOURCES (1 << 20)

__u32 sources[SOURCES]; /* four bytes of an address each */
__u32 mask;             /* how many of them are used, less one */
__u32 next;
__u32 target; /* the interface that the wire begins at */

/* One's complement sums of what the IP and the transport checksum cover, except the source; and
 * where the latter is in the frame. */
__u32 ip_sum, transport_sum;
__u32 transport_checksum_at;

static inline __attribute__((always_inline)) __u16 checksum(__u32 sum, __u32 source) {
    sum += (source & 0xffff) + (source >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (__u16) ~((sum & 0xffff) + (sum >> 16));
}

/* `at`: where the frame holds the bytes that change. IPv4's checksum stands right before them. */
static inline __attribute__((always_inline)) int send(struct xdp_md *frame, int at, int ipv4) {
    __u8 *bytes = (__u8 *)(long)frame->data, *end = (__u8 *)(long)frame->data_end;
    __u8 *transport = bytes + (transport_checksum_at & 127);
    if (bytes + at + 4 > end || transport + 2 > end) return XDP_ABORTED;
    __u32 source = sources[next++ & mask & (SOURCES - 1)];
    *(__u32 *)(bytes + at) = source;
    if (ipv4) *(__u16 *)(bytes + at - 2) = checksum(ip_sum, source);
    *(__u16 *)transport = checksum(transport_sum, source);
    return (int)bpf_redirect(target, 0);
}

SEC("xdp")
int send_ipv4(struct xdp_md *frame) { return send(frame, 14 + 12, 1); }

SEC("xdp")
int send_ipv4_tagged(struct xdp_md *frame) { return send(frame, 14 + 4 + 12, 1); }

SEC("xdp")
int send_ipv6(struct xdp_md *frame) { return send(frame, 14 + 8 + 12, 0); }

SEC("xdp")
int drop(struct xdp_md *frame) {
    (void)frame;
    return XDP_DROP;
}

SEC("xdp.frags") /* as nlbd's: generic XDP then keeps a packet in pieces */
int pass(struct xdp_md *frame) {
    (void)frame;
    return XDP_PASS;
}
