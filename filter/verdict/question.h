/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What neighbours ask and say about the virtual IPs, by ARP and neighbour discovery. The agent hears it
 * from here, by a ring: a packet socket would be on the way of every packet. The kernel must not hear the
 * questions, because it would answer for any interface that has the address, too.
 */
#ifndef NLB_QUESTION_H
#define NLB_QUESTION_H

#include "filter/verdict/verdict.h"

/* Frames of neighbours, in the form of refused ones. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 131072);
} neighbours SEC(".maps");

#define NLB_ALIGNED __attribute__((aligned(8))) /* the verifier wants the stack so */
#define NLB_ARP_BYTES 28
#define NLB_DISCOVERY_BYTES 64 /* IPv6 header, ICMPv6 header, target */

/* Offsets are from behind the Ethernet header and tags. They are not from the frame's beginning: a frame
 * that generic XDP had to copy, since the bridge gave it to several ports, comes without Ethernet header. */
NLB_INLINE int behind_ethernet(struct __sk_buff *frame, __u32 offset, void *to, __u32 size) {
    return bpf_skb_load_bytes_relative(frame, offset, to, size, BPF_HDR_START_NET) == 0;
}

/* The frame as it came, with the tag that was taken off, as far as it fits. A flood finds the ring full. */
NLB_INLINE void tell_agent(struct __sk_buff *frame, __u32 length) {
    struct nlb_refused *began = bpf_ringbuf_reserve(&neighbours, sizeof *began, 0);
    if (!began) return;
    __u8 *at = began->frame + 12;
    long failed = bpf_skb_load_bytes_relative(frame, 0, began->frame, 12, BPF_HDR_START_MAC);
    if (frame->vlan_present) {
        *(__u32 *)at = (__u16)frame->vlan_proto | (__u32)__builtin_bswap16((__u16)frame->vlan_tci) << 16;
        at += 4;
    }
    *(__u16 *)at = (__u16)frame->protocol;
    const __u32 most = NLB_REFUSED_MOST - 18;
    length = 1 + (__u32)nlb_bounded(length - 1, most, most - 1);
    failed |= bpf_skb_load_bytes_relative(frame, 0, at + 2, length, BPF_HDR_START_NET);
    began->length = (__u32)(at - began->frame) + 2 + length;
    if (failed)
        bpf_ringbuf_discard(began, 0);
    else
        bpf_ringbuf_submit(began, 0);
}

NLB_INLINE int is_virtual_ip(const struct nlb_config *config, __u8 family, const void *address) {
    struct nlb_packet about = {};
    about.family = family;
    __builtin_memcpy(about.destination, address, family == 4 ? 4 : 16);
    return nlb_find_virtual_ip(config, &about) >= 0;
}

/* A request for a virtual IP, or a message from one. What is for one, of whatever kind, is not the kernel's. */
NLB_INLINE int is_arps_question(const struct nlb_config *config, struct __sk_buff *frame) {
    __u8 arp[NLB_ARP_BYTES] NLB_ALIGNED;
    if (!behind_ethernet(frame, 0, arp, sizeof arp)) return 0;
    const int about = is_virtual_ip(config, 4, arp + 24);
    const int asks = about && nlb_load16(arp + 6) == __builtin_bswap16(1);
    if (asks || is_virtual_ip(config, 4, arp + 14)) tell_agent(frame, sizeof arp);
    return about;
}

NLB_INLINE int is_discoverys_question(const struct nlb_config *config, struct __sk_buff *frame) {
    __u8 ip[NLB_DISCOVERY_BYTES] NLB_ALIGNED;
    if (!behind_ethernet(frame, 0, ip, sizeof ip)) return 0;
    if (ip[40] != NLB_NEIGHBOUR_SOLICITATION && ip[40] != NLB_NEIGHBOUR_ADVERTISEMENT) return 0;
    if (!is_virtual_ip(config, 6, ip + 48)) return 0;
    tell_agent(frame, 40 + __builtin_bswap16(nlb_load16(ip + 4)));
    return ip[40] == NLB_NEIGHBOUR_SOLICITATION;
}

/* A question about a virtual IP: the agent has been told, and the packet is dropped. A function of its own, because it is rare. */
__noinline int is_question(struct __sk_buff *frame) {
    const struct nlb_config *config = nlb_active_config(&state);
    return frame->protocol == NLB_TYPE_ARP ? is_arps_question(config, frame)
                                           : is_discoverys_question(config, frame);
}

NLB_INLINE int asks_for_virtual_ip(struct __sk_buff *frame) {
    __u8 next = 0;
    if (frame->protocol == NLB_TYPE_ARP) return is_question(frame);
    return frame->protocol == NLB_TYPE_IPV6 && behind_ethernet(frame, 6, &next, 1) &&
           next == NLB_IP_ICMPV6 && is_question(frame);
}

#endif
