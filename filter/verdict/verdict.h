/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Packet + tables -> verdict with a reason. Everything else in this folder carries packets and
 * tables here.
 *
 * The order is that of rising cost: what is not for a virtual IP leaves after one look-up; what
 * another node serves leaves after the hash and one bit; only a packet that is about to be accepted
 * pays for the clock, and only a SYN, or a packet of a bucket that is changing hands, for a socket
 * look-up. An attacker's packets are the cheap ones.
 *
 * Three things cannot be had from tables; the including file defines them (and parse.h's
 * nlb_walk and fragments.h's nlb_fragment).
 */
#ifndef NLB_VERDICT_H
#define NLB_VERDICT_H

#include "filter/verdict/bucket.h"
#include "filter/verdict/forward.h"
#include "filter/verdict/parse.h"

/* Whether this host has a socket that this TCP packet belongs to: established, closing or
 * time-wait; a request only if the packet acknowledges its initial sequence number + 1; a listener
 * only if it carries a valid cookie. */
NLB_INLINE int nlb_has_socket(void *context);

/* Whether a socket listens for this SYN, or at least where the table's service is known to. */
NLB_INLINE int nlb_has_listener(void *context, __u32 table);

NLB_INLINE __u64 nlb_boot_ns(void *context);

/* The index of the virtual IP that the packet is for, or -1. */
NLB_INLINE int nlb_find_virtual_ip(const struct nlb_config *config,
                                   const struct nlb_packet *packet) {
    const struct nlb_slot *slot =
        &config->slots[nlb_slot_of(config->slot_multiplier, packet->destination)];
    if (slot->family != packet->family || slot->address[0] != packet->destination[0]) return -1;
    if (packet->family == 6 && slot->address[1] != packet->destination[1]) return -1;
    return slot->index & (NLB_MAX_VIRTUAL_IPS - 1);
}

/* The table that decides over the packet: its rule's, or the one for what no rule covers. */
NLB_INLINE __u32 nlb_find_table(const struct nlb_config *config, int virtual_ip,
                                const struct nlb_packet *packet) {
    if (packet->kind != NLB_KIND_TCP && packet->kind != NLB_KIND_UDP) return NLB_UNCOVERED;
    __u32 protocol = packet->kind == NLB_KIND_TCP ? NLB_TCP : NLB_UDP;
    __u8 port_class =
        config->port_class[protocol][packet->destination_port] & (NLB_CLASSES - 1);
    return config->rule_of[virtual_ip & (NLB_MAX_VIRTUAL_IPS - 1)][protocol][port_class];
}

NLB_INLINE int nlb_is_syn(const struct nlb_packet *tcp) {
    return (tcp->tcp_flags & (NLB_TCP_SYN | NLB_TCP_ACK | NLB_TCP_RST)) == NLB_TCP_SYN;
}

NLB_INLINE int nlb_has_group(const __u64 *groups, __u32 bucket) {
    __u32 group = bucket >> NLB_GROUP_SHIFT & (NLB_GROUPS - 1);
    return groups[group / 64] >> group % 64 & 1;
}

/* A TCP packet of a bucket that is changing hands, and no right to open new connections in it.
 * `otherwise` is why it drops when the connection is not here. */
NLB_INLINE enum nlb_reason nlb_linger(void *context, const struct nlb_packet *packet,
                                      enum nlb_reason on_syn, enum nlb_reason otherwise) {
    if (nlb_is_syn(packet)) return on_syn;
    return nlb_has_socket(context) ? NLB_ACCEPTED_LINGERING : otherwise;
}

/* No node serves the table. A packet that opens no connection may belong to one that a node still
 * has. */
NLB_INLINE enum nlb_reason nlb_decide_unserved(void *context, const struct nlb_state *state,
                                               const struct nlb_packet *packet, __u32 bucket,
                                               __u8 served) {
    int tcp = packet->kind == NLB_KIND_TCP;
    int opens = tcp ? nlb_is_syn(packet) : packet->kind == NLB_KIND_UDP;
    if (opens && served == NLB_REFUSED_HERE &&
        nlb_boot_ns(context) < *(const volatile __u64 *)&state->lease_ns)
        return NLB_REFUSED;
    if (tcp && nlb_has_group(state->lingering, bucket))
        return nlb_linger(context, packet, NLB_NO_OWNER, NLB_LINGERING_NO_SOCKET);
    return NLB_NO_OWNER;
}

/* Table and bucket are known; who may have the packet? */
NLB_INLINE enum nlb_reason nlb_decide_bucket(void *context, const struct nlb_state *state,
                                             const struct nlb_packet *packet, __u32 table,
                                             __u32 bucket) {
    const struct nlb_owners *owners =
        &state->owners[*(const volatile __u32 *)&state->active_owners & (NLB_OWNER_BUFFERS - 1)];
    int mine = owners->mine[table][bucket / 64] >> bucket % 64 & 1;
    int tcp = packet->kind == NLB_KIND_TCP;
    if (!mine) {
        __u8 served = owners->served[table];
        if (served != NLB_BY_SOMEBODY)
            return nlb_decide_unserved(context, state, packet, bucket, served);
        if (tcp && nlb_has_group(state->lingering, bucket))
            return nlb_linger(context, packet, NLB_LINGERING_SYN, NLB_LINGERING_NO_SOCKET);
        return NLB_FOREIGN;
    }
    if (nlb_boot_ns(context) >= *(const volatile __u64 *)&state->lease_ns) {
        if (tcp) return nlb_linger(context, packet, NLB_LEASE_EXPIRED, NLB_LEASE_EXPIRED);
        return NLB_LEASE_EXPIRED;
    }
    if (!tcp) return NLB_ACCEPTED;
    if (nlb_is_syn(packet))
        return !state->services[table].expected || nlb_has_listener(context, table)
                   ? NLB_ACCEPTED
                   : NLB_NO_LISTENER;
    if (nlb_has_group(state->guarded, bucket))
        return nlb_has_socket(context) ? NLB_ACCEPTED_GUARDED : NLB_GUARDED;
    return NLB_ACCEPTED;
}

NLB_INLINE const struct nlb_config *nlb_active_config(const struct nlb_state *state) {
    return &state
                ->config[*(const volatile __u32 *)&state->active_config & (NLB_CONFIG_BUFFERS - 1)];
}

/* For which virtual IP is it? NLB_ACCEPTED: for this one. */
NLB_INLINE enum nlb_reason nlb_find_destination(const struct nlb_config *config,
                                                struct nlb_cursor *cursor,
                                                struct nlb_packet *packet, int *virtual_ip) {
    packet->ip = nlb_take_addresses(cursor, packet);
    if (!packet->ip) return NLB_TOO_SHORT;
    *virtual_ip = nlb_find_virtual_ip(config, packet);
    return *virtual_ip < 0 ? NLB_NOT_VIRTUAL_IP : NLB_ACCEPTED;
}

/* What passes or drops whatever the tables say; NLB_ACCEPTED: they decide. */
NLB_INLINE enum nlb_reason nlb_decide_kind(const struct nlb_packet *packet, __u32 fate) {
    if (packet->kind == NLB_KIND_LATER_FRAGMENT)
        return fate == NLB_FATE_UNKNOWN || fate == NLB_FATE_TAKEN ? NLB_LATER_FRAGMENT
                                                                  : NLB_FOREIGN_FRAGMENT;
    if (packet->kind == NLB_KIND_ICMP_ERROR) return NLB_ICMP_ERROR;
    if (packet->kind == NLB_KIND_NEIGHBOUR_DISCOVERY) return NLB_NEIGHBOUR_DISCOVERY;
    return NLB_ACCEPTED;
}

NLB_INLINE __u64 nlb_decide_table(void *context, const struct nlb_state *state,
                                  const struct nlb_config *config, const struct nlb_packet *packet,
                                  __u32 table) {
    table = (__u32)nlb_bounded(table, NLB_TABLES, NLB_UNCOVERED);
    struct nlb_rule rule = config->rules[table];
    if (rule.disabled && !nlb_forwards()) return nlb_word(NLB_RULE_DISABLED, table, 0);
    __u32 bucket = nlb_bucket(&config->hash, rule.affinity, packet->family, packet->source,
                              packet->source_port);
    if (rule.disabled) return nlb_word(NLB_RULE_DISABLED, table, bucket + 1);
    return nlb_word(nlb_decide_bucket(context, state, packet, table, bucket), table, bucket + 1);
}

/* Everything behind the addresses. */
NLB_INLINE __u64 nlb_decide_rest(void *context, const struct nlb_state *state,
                                 const struct nlb_config *config, struct nlb_cursor *cursor,
                                 struct nlb_packet *packet, int virtual_ip) {
    __u32 fate = NLB_FATE_UNKNOWN;
    __u64 word = nlb_take_rest(context, cursor, packet);
    if (word != NLB_ACCEPTED) return word;
    if (packet->kind == NLB_KIND_LATER_FRAGMENT)
        fate = nlb_fragment(context, packet, NLB_FATE_UNKNOWN);
    word = nlb_decide_kind(packet, fate);
    if (word == NLB_ACCEPTED)
        word = nlb_decide_table(context, state, config, packet,
                                nlb_find_table(config, virtual_ip, packet));
    return nlb_forwards() ? nlb_with_path(context, packet, word, fate) : word;
}

/* Called with a constant family: IPv4 and IPv6 become two straight paths of machine code. */
NLB_INLINE __u64 nlb_decide_ip(void *context, const struct nlb_state *state,
                               struct nlb_cursor *cursor, __u8 family) {
    const struct nlb_config *config = nlb_active_config(state);
    struct nlb_packet packet = {};
    int virtual_ip = 0;
    packet.family = family;
    enum nlb_reason reason = nlb_find_destination(config, cursor, &packet, &virtual_ip);
    if (reason != NLB_ACCEPTED) return reason;
    __u64 word = nlb_decide_rest(context, state, config, cursor, &packet, virtual_ip);
    if (packet.first_fragment)
        nlb_fragment(context, &packet, nlb_fate_of(word));
    return word;
}

/* The verdict over one frame, as a word; the cursor stands behind its Ethernet header and tags,
 * which end with this type. */
NLB_INLINE __u64 nlb_decide(void *context, const struct nlb_state *state, struct nlb_cursor cursor,
                            __be16 type) {
    if (type == NLB_TYPE_IPV4) return nlb_decide_ip(context, state, &cursor, 4);
    if (type == NLB_TYPE_IPV6) return nlb_decide_ip(context, state, &cursor, 6);
    if (nlb_is_tag(type)) return NLB_TOO_MANY_TAGS; /* the stack takes off any number of them */
    return type == 0 ? NLB_TOO_SHORT : NLB_NOT_IP;
}

#endif
