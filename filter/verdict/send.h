/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What the two programs that send packets on have in common, that of tc and the one of XDP in front of it: the
 * maps, which are the same ones in the kernel, and what is written into a packet.
 */
#ifndef NLB_SEND_H
#define NLB_SEND_H

#include "filter/verdict/program.h"

/* Without forwarding these three have one small entry, which nothing looks at. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, NLB_TABLES);
    __type(key, __u32);
    __type(value, struct nlb_numbers);
} numbers SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct nlb_paths);
} paths SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct nlb_sent);
} sent SEC(".maps");

NLB_INLINE const struct nlb_paths *nlb_known_paths(void) {
    __u32 zero = 0;
    return bpf_map_lookup_elem(&paths, &zero);
}

NLB_INLINE __u32 nlb_number_of(__u32 table, __u32 bucket) {
    const struct nlb_numbers *numbers_of_table = bpf_map_lookup_elem(&numbers, &table);
    return numbers_of_table ? numbers_of_table->of[bucket & (NLB_BUCKETS - 1)] : 0;
}

NLB_INLINE __u64 nlb_mac_at(const __u8 *mac) {
    return nlb_load32(mac) | (__u64)nlb_load16(mac + 4) << 32;
}

/* Whether the frame with this Ethernet header comes from a node of the cluster. */
NLB_INLINE int nlb_is_from_node(const __u8 *ethernet, const struct nlb_paths *known) {
    const __u64 source = nlb_mac_at(ethernet + 6);
    for (__u32 node = 1; node <= NLB_MAX_NODES; node++)
        if (known->macs[node] == source) return 1;
    return source == state.own_mac;
}

/* One hop less in an IPv4 header's hops, protocol and checksum (RFC 1624, equation 3). */
NLB_INLINE void nlb_take_hop4(__u8 ip[4]) {
    __u32 sum = (__u32)(__u16)~nlb_load16(ip + 2) + (__u16)~nlb_load16(ip);
    ip[0]--;
    sum += nlb_load16(ip);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    *(__u16 *)(ip + 2) = (__u16)~sum;
}

NLB_INLINE void count_sent(__u32 node) {
    __u32 zero = 0;
    struct nlb_sent *mine = bpf_map_lookup_elem(&sent, &zero);
    if (mine) mine->to[nlb_bounded(node, NLB_MAX_NODES + 1, 0)]++;
}

#endif
