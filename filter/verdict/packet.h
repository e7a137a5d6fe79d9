/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * The few fields of a packet that a verdict needs, as parse.h reads them.
 */
#ifndef NLB_PACKET_H
#define NLB_PACKET_H

#include "filter/verdict/layout.h"

/* What decides over the packet, once it is for a virtual IP. */
enum nlb_kind {
    NLB_KIND_OTHER, /* its source address alone */
    NLB_KIND_TCP,
    NLB_KIND_UDP,
    NLB_KIND_ICMP_ERROR,
    NLB_KIND_NEIGHBOUR_DISCOVERY,
    NLB_KIND_LATER_FRAGMENT,
};

enum nlb_tcp_flag { NLB_TCP_SYN = 2, NLB_TCP_RST = 4, NLB_TCP_ACK = 16 };

enum nlb_ip_protocol {
    NLB_IP_HOP_BY_HOP = 0,
    NLB_IP_ICMP = 1,
    NLB_IP_TCP = 6,
    NLB_IP_UDP = 17,
    NLB_IP_ROUTING = 43,
    NLB_IP_FRAGMENT = 44,
    NLB_IP_ICMPV6 = 58,
    NLB_IP_DESTINATION_OPTIONS = 60,
};

struct nlb_packet {
    __u64 source[2]; /* network order; IPv4 in the first four bytes */
    __u64 destination[2];
    const __u8 *ip, *tcp; /* the headers */
    __be16 source_port, destination_port;
    __u8 family; /* 4 or 6; 0: not IP */
    __u8 protocol;
    __u8 kind;
    __u8 tcp_flags;
    __u32 fragment_id;    /* as it lies in the packet; of no meaning but in a fragment */
    __u32 first_fragment; /* its transport header's length field speaks of more than this frame */
    __u32 payload;        /* bytes after the IP headers */
    __u32 extended;       /* there were extension headers */
    __u32 hops;           /* that it may still go; read only where packets are sent on */
};

/* Unaligned loads of what lies in the frame as it lies there. The verifier knows packet memory only
 * by its bounds; in user space an unaligned access through a pointer would be undefined. */
#ifdef __bpf__
#define nlb_load16(at) (*(const __u16 *)(at))
#define nlb_load32(at) (*(const __u32 *)(at))
#define nlb_load64(at) (*(const __u64 *)(at))
#else
#define NLB_LOAD(bits)                                                                             \
    NLB_INLINE __u##bits nlb_load##bits(const __u8 *at) {                                          \
        __u##bits value;                                                                           \
        __builtin_memcpy(&value, at, sizeof value);                                                \
        return value;                                                                              \
    }
NLB_LOAD(16)
NLB_LOAD(32)
NLB_LOAD(64)
#undef NLB_LOAD
#endif

#endif
