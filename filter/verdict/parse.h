/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * From bytes to the few fields that a verdict needs. No maps and no helpers, so the same file is
 * compiled for BPF, for the user-space datapath and for tests.
 *
 * A cursor walks over the frame. `end` bounds what may be read, which is not where the frame ends:
 * XDP reads only the linear part of a frame that the driver received in several buffers. A length
 * that a header claims and that goes beyond `end` is compared with the frame's (nlb_frame_length).
 *
 * Three steps, in this order: Ethernet and VLAN tags, IP addresses, the rest. Between the second
 * and the third the caller looks the destination up, because what is not for a virtual IP is none
 * of our business, however broken it may be.
 */
#ifndef NLB_PARSE_H
#define NLB_PARSE_H

#include "filter/verdict/packet.h"

#define NLB_MAX_IPV6_HEADERS 8

struct nlb_cursor {
    const __u8 *at;
    const __u8 *end;
    __u32 offset; /* of `at` in the frame */
};

/* The next `size` bytes, or null when they cannot be read. */
NLB_INLINE const __u8 *nlb_take(struct nlb_cursor *cursor, __u32 size) {
    const __u8 *bytes = cursor->at;
    if (bytes + size > cursor->end) return 0;
    cursor->at = bytes + size;
    cursor->offset += size;
    return bytes;
}

/* Whether packets of other nodes are sent on to them; the including file defines it. A
 * constant in each program that is loaded, so that where they are not, the code for it is not there. */
NLB_INLINE int nlb_forwards(void);

/* How long the frame is, all its buffers together; the including file defines it. */
NLB_INLINE __u32 nlb_frame_length(void *context);

/* Whether the frame holds so many more bytes, readable or not. Nearly always what can be read says
 * so. */
NLB_INLINE int nlb_holds(void *context, const struct nlb_cursor *cursor, __u32 size) {
    return (__u64)(cursor->end - cursor->at) >= size ||
           nlb_frame_length(context) - cursor->offset >= size;
}

#define NLB_TYPE_IPV4 __builtin_bswap16(0x0800)
#define NLB_TYPE_IPV6 __builtin_bswap16(0x86dd)
#define NLB_TYPE_ARP __builtin_bswap16(0x0806)

NLB_INLINE int nlb_is_tag(__be16 type) {
    return type == __builtin_bswap16(0x8100) || type == __builtin_bswap16(0x88a8);
}

/* Step 1. The Ethernet header and up to two VLAN tags, `taken` of which were taken off before; the
 * type that follows in network order, 0 when cut off. */
NLB_INLINE __be16 nlb_take_ethernet(struct nlb_cursor *cursor, int taken) {
    const __u8 *ethernet = nlb_take(cursor, 14);
    if (!ethernet) return 0;
    __be16 type = nlb_load16(ethernet + 12);
    if (type == NLB_TYPE_IPV4 || type == NLB_TYPE_IPV6) return type;
    for (int tags = taken; tags < 2; tags++) {
        if (!nlb_is_tag(type)) break;
        const __u8 *tag = nlb_take(cursor, 4);
        if (!tag) return 0;
        type = nlb_load16(tag + 2);
    }
    return type;
}

/* Step 2. Family and addresses; the fixed IP header is returned, null when cut off. The cursor
 * stays behind it. */
NLB_INLINE const __u8 *nlb_take_addresses(struct nlb_cursor *cursor, struct nlb_packet *packet) {
    const __u8 *ip;
    if (packet->family == 4) {
        ip = nlb_take(cursor, 20);
        if (!ip) return 0;
        packet->source[0] = nlb_load32(ip + 12);
        packet->destination[0] = nlb_load32(ip + 16);
        packet->source[1] = packet->destination[1] = 0;
        if (nlb_forwards()) packet->hops = ip[8];
        return ip;
    }
    ip = nlb_take(cursor, 40);
    if (!ip) return 0;
    packet->source[0] = nlb_load64(ip + 8);
    packet->source[1] = nlb_load64(ip + 16);
    packet->destination[0] = nlb_load64(ip + 24);
    packet->destination[1] = nlb_load64(ip + 32);
    if (nlb_forwards()) packet->hops = ip[7];
    return ip;
}

/* Why `size` more bytes of the payload could not be taken. */
NLB_INLINE enum nlb_reason nlb_why_not(const struct nlb_packet *packet, __u32 size) {
    return packet->payload < size ? NLB_TRUNCATED : NLB_HEADER_TOO_DEEP;
}

/* Like nlb_take, within the payload that the IP header announces: link-layer padding is not ours to
 * read. */
NLB_INLINE const __u8 *nlb_peek(const struct nlb_cursor *cursor, const struct nlb_packet *packet,
                                __u32 size) {
    return packet->payload < size || cursor->at + size > cursor->end ? 0 : cursor->at;
}

NLB_INLINE enum nlb_reason nlb_take_tcp(const struct nlb_cursor *cursor,
                                        struct nlb_packet *packet) {
    const __u8 *tcp = nlb_peek(cursor, packet, 20);
    if (!tcp) return nlb_why_not(packet, 20);
    __u32 length = (__u32)(tcp[12] >> 4) * 4;
    if (length < 20 || length > packet->payload) return NLB_TCP_HEADER;
    packet->kind = NLB_KIND_TCP;
    packet->tcp = tcp;
    packet->source_port = nlb_load16(tcp);
    packet->destination_port = nlb_load16(tcp + 2);
    packet->tcp_flags = tcp[13];
    return NLB_ACCEPTED;
}

NLB_INLINE enum nlb_reason nlb_take_udp(const struct nlb_cursor *cursor,
                                        struct nlb_packet *packet) {
    const __u8 *udp = nlb_peek(cursor, packet, 8);
    if (!udp) return nlb_why_not(packet, 8);
    __u32 length = __builtin_bswap16(nlb_load16(udp + 4));
    if (length < 8 || (length > packet->payload && !packet->first_fragment)) return NLB_UDP_LENGTH;
    packet->kind = NLB_KIND_UDP;
    packet->source_port = nlb_load16(udp);
    packet->destination_port = nlb_load16(udp + 2);
    return NLB_ACCEPTED;
}

/* The packet that an ICMP error quotes must have been sent from the address that the error is
 * addressed to. */
NLB_INLINE enum nlb_reason nlb_check_quote(const struct nlb_cursor *cursor,
                                           struct nlb_packet *packet) {
    packet->kind = NLB_KIND_ICMP_ERROR;
    const __u32 size = packet->family == 4 ? 8 + 20 : 8 + 40;
    const __u8 *icmp =
        packet->family == 4 ? nlb_peek(cursor, packet, 8 + 20) : nlb_peek(cursor, packet, 8 + 40);
    if (!icmp) return nlb_why_not(packet, size);
    if (icmp[8] >> 4 != packet->family) return NLB_ICMP_QUOTE;
    if (packet->family == 4)
        return nlb_load32(icmp + 8 + 12) == (__u32)packet->destination[0] ? NLB_ACCEPTED
                                                                          : NLB_ICMP_QUOTE;
    return nlb_load64(icmp + 8 + 8) == packet->destination[0] &&
                   nlb_load64(icmp + 8 + 16) == packet->destination[1]
               ? NLB_ACCEPTED
               : NLB_ICMP_QUOTE;
}

NLB_INLINE enum nlb_reason nlb_take_icmp(const struct nlb_cursor *cursor,
                                         struct nlb_packet *packet) {
    const __u8 *icmp = nlb_peek(cursor, packet, 8);
    if (!icmp) return nlb_why_not(packet, 8);
    __u8 type = icmp[0];
    /* Unreachable, source quench, redirect, time exceeded, parameter problem. */
    if (type == 3 || type == 4 || type == 5 || type == 11 || type == 12)
        return nlb_check_quote(cursor, packet);
    packet->kind = NLB_KIND_OTHER;
    return NLB_ACCEPTED;
}

#define NLB_NEIGHBOUR_SOLICITATION 135
#define NLB_NEIGHBOUR_ADVERTISEMENT 136

NLB_INLINE int nlb_is_neighbour_discovery(__u8 icmpv6_type) {
    return icmpv6_type >= 133 && icmpv6_type <= 137;
}

NLB_INLINE enum nlb_reason nlb_take_icmpv6(const struct nlb_cursor *cursor,
                                           struct nlb_packet *packet) {
    const __u8 *icmp = nlb_peek(cursor, packet, 8);
    if (!icmp) return nlb_why_not(packet, 8);
    __u8 type = icmp[0];
    /* Unreachable, packet too big, time exceeded, parameter problem. */
    if (type >= 1 && type <= 4) return nlb_check_quote(cursor, packet);
    packet->kind = nlb_is_neighbour_discovery(type) && !packet->extended
                       ? NLB_KIND_NEIGHBOUR_DISCOVERY
                       : NLB_KIND_OTHER;
    return NLB_ACCEPTED;
}

NLB_INLINE enum nlb_reason nlb_take_transport(const struct nlb_cursor *cursor,
                                              struct nlb_packet *packet) {
    if (packet->protocol == NLB_IP_TCP) return nlb_take_tcp(cursor, packet);
    if (packet->protocol == NLB_IP_UDP) return nlb_take_udp(cursor, packet);
    if (packet->family == 4 && packet->protocol == NLB_IP_ICMP)
        return nlb_take_icmp(cursor, packet);
    if (packet->family == 6 && packet->protocol == NLB_IP_ICMPV6)
        return nlb_take_icmpv6(cursor, packet);
    packet->kind = NLB_KIND_OTHER;
    return NLB_ACCEPTED;
}

/* The rest of an IPv4 header. */
NLB_INLINE enum nlb_reason nlb_take_ipv4(void *context, struct nlb_cursor *cursor,
                                         struct nlb_packet *packet) {
    const __u8 *ip = packet->ip;
    __u32 header = (__u32)(ip[0] & 15) * 4;
    __u32 total = __builtin_bswap16(nlb_load16(ip + 2));
    if (ip[0] >> 4 != 4 || header < 20) return NLB_IP_HEADER;
    if (total < header || !nlb_holds(context, cursor, total - 20)) return NLB_IP_LENGTH;
    packet->protocol = ip[9];
    packet->payload = total - header;
    __be16 fragment = nlb_load16(ip + 6) & __builtin_bswap16(0x3fff); /* one more, offset */
    if (fragment & __builtin_bswap16(0x1fff)) packet->kind = NLB_KIND_LATER_FRAGMENT;
    packet->first_fragment = fragment == __builtin_bswap16(0x2000);
    packet->fragment_id = nlb_load16(ip + 4);
    __u32 options = header - 20; /* `payload` has been measured without them */
    nlb_forget(options);
    options &= 60;
    cursor->at += options;
    cursor->offset += options;
    return NLB_ACCEPTED;
}

NLB_INLINE int nlb_is_extension(__u8 protocol) {
    return protocol == NLB_IP_HOP_BY_HOP || protocol == NLB_IP_ROUTING ||
           protocol == NLB_IP_FRAGMENT || protocol == NLB_IP_DESTINATION_OPTIONS;
}

/* What stands behind a chain of extension headers, in one word: a BPF program walks the chain in a
 * function that the verifier checks once and for all, and such a function returns a number. */
#define NLB_WALKED_REASON(walked) ((walked)&0xff)
#define NLB_WALKED_PROTOCOL(walked) ((__u8)((walked) >> 8))
#define NLB_WALKED_LATER (1 << 16)
#define NLB_WALKED_FIRST (1 << 17)
#define NLB_WALKED_LENGTH(walked) ((__u32)(walked) >> 15 & 0x7ff8) /* of the headers */
#define NLB_WALKED_ID(walked) ((__u32)((walked) >> 32))            /* of a fragment */

/* Takes up to eight extension headers, the first of kind `protocol`, out of `payload` bytes. */
NLB_INLINE __u64 nlb_walk_extensions(struct nlb_cursor cursor, __u8 protocol, __u32 payload) {
    __u64 flags = 0;
    __u32 walked = 0;
    for (int i = 0; i < NLB_MAX_IPV6_HEADERS; i++) {
        const __u8 *header = payload < 8 ? 0 : nlb_take(&cursor, 8);
        if (!header) return payload < 8 ? NLB_TRUNCATED : NLB_HEADER_TOO_DEEP;
        __u32 length = protocol == NLB_IP_FRAGMENT ? 8 : ((__u32)header[1] + 1) * 8;
        if (length > payload) return NLB_TRUNCATED;
        if (protocol == NLB_IP_FRAGMENT) {
            __u16 fragment = __builtin_bswap16(nlb_load16(header + 2));
            flags |= (__u64)nlb_load32(header + 4) << 32;
            if (fragment & 0xfff8) return flags | NLB_WALKED_LATER;
            flags |= fragment & 1 ? NLB_WALKED_FIRST : 0;
        }
        protocol = header[0];
        cursor.at += length - 8;
        payload -= length;
        walked += length;
        if (!nlb_is_extension(protocol))
            return flags | (__u64)(walked >> 3) << 18 | (__u64)protocol << 8 | NLB_ACCEPTED;
    }
    return NLB_TOO_MANY_HEADERS;
}

/* Calls nlb_walk_extensions; the including file defines it. */
NLB_INLINE __u64 nlb_walk(void *context, struct nlb_cursor cursor, __u8 protocol, __u32 payload);

/* The rest of an IPv6 header and its extension headers. */
NLB_INLINE enum nlb_reason nlb_take_ipv6(void *context, struct nlb_cursor *cursor,
                                         struct nlb_packet *packet) {
    const __u8 *ip = packet->ip;
    if (ip[0] >> 4 != 6) return NLB_IP_HEADER;
    packet->payload = __builtin_bswap16(nlb_load16(ip + 4));
    if (!nlb_holds(context, cursor, packet->payload)) return NLB_IP_LENGTH;
    packet->protocol = ip[6];
    if (!nlb_is_extension(packet->protocol)) return NLB_ACCEPTED;
    __u64 walked = nlb_walk(context, *cursor, packet->protocol, packet->payload);
    if (walked & NLB_WALKED_LATER) packet->kind = NLB_KIND_LATER_FRAGMENT;
    packet->extended = 1;
    packet->protocol = NLB_WALKED_PROTOCOL(walked);
    packet->first_fragment = (walked & NLB_WALKED_FIRST) != 0;
    packet->fragment_id = NLB_WALKED_ID(walked);
    packet->payload -= NLB_WALKED_LENGTH(walked);
    cursor->at += NLB_WALKED_LENGTH(walked);
    cursor->offset += NLB_WALKED_LENGTH(walked);
    return (enum nlb_reason)NLB_WALKED_REASON(walked);
}

/* Step 3. Everything behind the addresses. NLB_ACCEPTED: well-formed, and `kind` and what belongs
 * to it is set. */
NLB_INLINE enum nlb_reason nlb_take_rest(void *context, struct nlb_cursor *cursor,
                                         struct nlb_packet *packet) {
    enum nlb_reason reason = packet->family == 4 ? nlb_take_ipv4(context, cursor, packet)
                                                 : nlb_take_ipv6(context, cursor, packet);
    if (reason != NLB_ACCEPTED || packet->kind == NLB_KIND_LATER_FRAGMENT) return reason;
    return nlb_take_transport(cursor, packet);
}

#endif
