/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0
 *
 * Packet + tables -> verdict with a reason. Everything else in this folder carries packets and
 * tables here.
 *
 * The order is that of rising cost: what is not for a virtual IP leaves after one look-up; what
 * another node serves leaves after the hash and one bit; only a packet that is about to be accepted
 * pays for the clock, and only one of a bucket that is changing hands for a socket look-up. An
 * attacker's packets are the cheap ones.
 *
 * Two things cannot be had from tables; whoever includes this file defines them (and parse.h's
 * nlb_walk and fragments.h's nlb_fragment).
 */
#ifndef NLB_VERDICT_H
#define NLB_VERDICT_H

#include "filter/fragments.h"
#include "filter/parse.h"
#include "filter/siphash.h"

/* Whether this host has a socket that this TCP packet belongs to: established, closing or
 * time-wait; a request only if the packet acknowledges its initial sequence number + 1; a listener
 * only if it carries a valid cookie. */
NLB_INLINE int nlb_has_socket(void *context, const struct nlb_packet *packet);

NLB_INLINE __u64 nlb_boot_ns(void);

/* The index of the virtual IP that the packet is for, or -1. */
NLB_INLINE int nlb_find_virtual_ip(const struct nlb_config *config,
                                   const struct nlb_packet *packet) {
    const struct nlb_slot *slot =
        &config->slots[nlb_slot_of(config->slot_multiplier, packet->destination)];
    if (slot->family != packet->family || slot->address[0] != packet->destination[0] ||
        slot->address[1] != packet->destination[1])
        return -1;
    return slot->index & (NLB_MAX_VIRTUAL_IPS - 1);
}

/* The table that decides over the packet: its rule's, or the one for what no rule covers. */
NLB_INLINE __u32 nlb_find_table(const struct nlb_config *config, int virtual_ip,
                                const struct nlb_packet *packet) {
    if (packet->kind != NLB_KIND_TCP && packet->kind != NLB_KIND_UDP) return NLB_UNCOVERED;
    __u32 protocol = packet->kind == NLB_KIND_TCP ? NLB_TCP : NLB_UDP;
    __u8 port_class = config->port_class[protocol][packet->destination_port] & (NLB_CLASSES - 1);
    return config->rule_of[virtual_ip & (NLB_MAX_VIRTUAL_IPS - 1)][protocol][port_class];
}

NLB_INLINE int nlb_has_group(const __u64 *groups, __u32 bucket) {
    __u32 group = bucket >> NLB_GROUP_SHIFT & (NLB_GROUPS - 1);
    return groups[group / 64] >> group % 64 & 1;
}

/* A packet of a bucket that is changing hands, and no right to open new connections in it.
 * `otherwise` is why it drops when the connection is not here. */
NLB_INLINE enum nlb_reason nlb_linger(void *context, const struct nlb_packet *packet, int syn,
                                      enum nlb_reason on_syn, enum nlb_reason otherwise) {
    if (syn) return on_syn;
    return nlb_has_socket(context, packet) ? NLB_ACCEPTED_LINGERING : otherwise;
}

/* Table and bucket are known; who may have the packet? */
NLB_INLINE enum nlb_reason nlb_decide_bucket(void *context, const struct nlb_state *state,
                                             const struct nlb_packet *packet, __u32 table,
                                             __u32 bucket) {
    const struct nlb_owners *owners =
        &state->owners[*(const volatile __u32 *)&state->active_owners & (NLB_OWNER_BUFFERS - 1)];
    int mine = owners->mine[table][bucket / 64] >> bucket % 64 & 1;
    int tcp = packet->kind == NLB_KIND_TCP;
    int syn = (packet->tcp_flags & (NLB_TCP_SYN | NLB_TCP_ACK | NLB_TCP_RST)) == NLB_TCP_SYN;
    if (!mine) {
        if (tcp && nlb_has_group(state->lingering, bucket))
            return nlb_linger(context, packet, syn, NLB_LINGERING_SYN, NLB_LINGERING_NO_SOCKET);
        return owners->has_owner[table] ? NLB_FOREIGN : NLB_NO_OWNER;
    }
    if (nlb_boot_ns() >= *(const volatile __u64 *)&state->lease_ns) {
        if (tcp) return nlb_linger(context, packet, syn, NLB_LEASE_EXPIRED, NLB_LEASE_EXPIRED);
        return NLB_LEASE_EXPIRED;
    }
    if (tcp && !syn && nlb_has_group(state->guarded, bucket))
        return nlb_has_socket(context, packet) ? NLB_ACCEPTED_GUARDED : NLB_GUARDED;
    return NLB_ACCEPTED;
}

NLB_INLINE const struct nlb_config *nlb_active_config(const struct nlb_state *state) {
    return &state
                ->config[*(const volatile __u32 *)&state->active_config & (NLB_CONFIG_BUFFERS - 1)];
}

/* For which virtual IP is it? NLB_ACCEPTED: for this one, and `ip` points to the header. */
NLB_INLINE enum nlb_reason nlb_find_destination(const struct nlb_config *config,
                                                struct nlb_cursor *cursor,
                                                struct nlb_packet *packet, const __u8 **ip,
                                                int *virtual_ip) {
    *ip = nlb_take_addresses(cursor, packet);
    if (!*ip) return NLB_TOO_SHORT;
    *virtual_ip = nlb_find_virtual_ip(config, packet);
    return *virtual_ip < 0 ? NLB_NOT_VIRTUAL_IP : NLB_ACCEPTED;
}

/* What passes or drops whatever the tables say; NLB_ACCEPTED: they decide. */
NLB_INLINE enum nlb_reason nlb_decide_kind(void *context, const struct nlb_packet *packet) {
    if (packet->kind == NLB_KIND_LATER_FRAGMENT)
        return nlb_fragment(context, packet, NLB_LATER_ONE) ? NLB_FOREIGN_FRAGMENT
                                                            : NLB_LATER_FRAGMENT;
    if (packet->kind == NLB_KIND_ICMP_ERROR) return NLB_ICMP_ERROR;
    if (packet->kind == NLB_KIND_NEIGHBOUR_DISCOVERY) return NLB_NEIGHBOUR_DISCOVERY;
    return NLB_ACCEPTED;
}

NLB_INLINE void nlb_decide_table(void *context, const struct nlb_state *state,
                                 const struct nlb_config *config, const struct nlb_packet *packet,
                                 __u32 table, struct nlb_verdict *verdict) {
    if (table >= NLB_TABLES) table = NLB_UNCOVERED;
    verdict->table = (__s32)table;
    if (config->rules[table].disabled) {
        verdict->reason = NLB_RULE_DISABLED;
        return;
    }
    __u32 bucket = nlb_bucket(config->hash_key, config->rules[table].affinity, packet->family,
                              packet->source, packet->source_port);
    verdict->bucket = (__s32)bucket;
    verdict->reason = nlb_decide_bucket(context, state, packet, table, bucket);
}

/* Called with a constant family: IPv4 and IPv6 become two straight paths of machine code. */
NLB_INLINE void nlb_decide_ip(void *context, const struct nlb_state *state,
                              struct nlb_cursor *cursor, __u8 family, struct nlb_verdict *verdict) {
    const struct nlb_config *config = nlb_active_config(state);
    struct nlb_packet packet = {};
    const __u8 *ip = 0;
    int virtual_ip = 0;
    packet.family = family;
    verdict->reason = nlb_find_destination(config, cursor, &packet, &ip, &virtual_ip);
    if (verdict->reason == NLB_ACCEPTED)
        verdict->reason = nlb_take_rest(context, cursor, ip, &packet);
    if (verdict->reason == NLB_ACCEPTED) verdict->reason = nlb_decide_kind(context, &packet);
    if (verdict->reason == NLB_ACCEPTED)
        nlb_decide_table(context, state, config, &packet,
                         nlb_find_table(config, virtual_ip, &packet), verdict);
    if (packet.first_fragment && packet.kind != NLB_KIND_LATER_FRAGMENT)
        nlb_fragment(context, &packet,
                     verdict->reason > NLB_LAST_PASSED ? NLB_FIRST_DROPPED : NLB_FIRST_TAKEN);
}

/* The verdict over one frame; the cursor stands at its first byte. */
NLB_INLINE struct nlb_verdict nlb_decide(void *context, const struct nlb_state *state,
                                         struct nlb_cursor cursor) {
    struct nlb_verdict verdict = {NLB_NOT_IP, -1, -1};
    __be16 type = nlb_take_ethernet(&cursor);
    if (type == __builtin_bswap16(0x0800))
        nlb_decide_ip(context, state, &cursor, 4, &verdict);
    else if (type == __builtin_bswap16(0x86dd))
        nlb_decide_ip(context, state, &cursor, 6, &verdict);
    else if (type == 0)
        verdict.reason = NLB_TOO_SHORT;
    return verdict;
}

#endif
