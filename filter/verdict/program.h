/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What the programs that judge have in common, whether XDP or tc hands them a frame: their tables
 * and maps, and what verdict.h cannot have from tables. The including file says before what a frame
 * is (NLB_FRAME) and defines the four functions that follow here.
 */
#ifndef NLB_PROGRAM_H
#define NLB_PROGRAM_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "filter/verdict/capture_record.h"
#include "filter/verdict/verdict.h"

/* The Ethernet header and what tags are in the frame; nlb_take_ethernet. */
NLB_INLINE __be16 take_ethernet(NLB_FRAME *frame, struct nlb_cursor *cursor);
/* The tag that was taken off before, as it lay in the frame; 0: none. */
NLB_INLINE __u32 tag_taken_off(NLB_FRAME *frame);
/* The frame's first ones, with that tag: 18 bytes at least when there is one. */
NLB_INLINE long load_bytes(NLB_FRAME *frame, __u8 *to, __u32 length);

char nlbd_license[] SEC("license") = "Dual BSD/GPL";

struct nlb_state state;

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct nlb_counters);
} counters SEC(".maps");

/* Wakes the agent: a table's number for each service that was missed. Rings are whole pages, which
 * have up to 64 KiB (arm64). */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 65536);
} alarm SEC(".maps");

/* Frames that the agent has to answer, because the stack never sees them. */
struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 65536);
} refused SEC(".maps");

/* Where frames are shown to `nlbctl capture`, and what each processor has to know for that. */
struct {
    __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
    __uint(key_size, sizeof(__u32));
    __uint(value_size, sizeof(__u32));
} shown SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct nlb_shown);
} shown_counts SEC(".maps");

/* The kernel's, as far as we look into it; CO-RE finds the field wherever this kernel keeps it. */
struct tcp_request_sock {
    __u32 snt_isn;
} __attribute__((preserve_access_index));

/* With SYN cookies a listener has no socket for the connection yet: the cookie in the ACK is its
 * memory. The helper wants headers; these hold the fields that it reads. */
NLB_INLINE int has_cookie(struct bpf_sock *listener, const struct nlb_packet *packet) {
    const __u8 *from = packet->tcp;
    __u32 tcp[5] = {nlb_load32(from), nlb_load32(from + 4), nlb_load32(from + 8),
                    0x50 | (__u32)from[13] << 8};
    if (packet->family == 4) {
        __u32 ip[5] = {0x45, 0, 0, (__u32)packet->source[0], (__u32)packet->destination[0]};
        return bpf_tcp_check_syncookie(listener, ip, sizeof ip, (void *)tcp, sizeof tcp) == 0;
    }
    __u64 ip[5] = {0x60, packet->source[0], packet->source[1], packet->destination[0],
                   packet->destination[1]};
    return bpf_tcp_check_syncookie(listener, ip, sizeof ip, (void *)tcp, sizeof tcp) == 0;
}

/* A half-open connection that moved exists on two nodes; the right one has sent what the client
 * acknowledges. */
NLB_INLINE int acknowledges(struct bpf_sock *socket, const struct nlb_packet *packet) {
    struct tcp_request_sock *request = bpf_skc_to_tcp_request_sock(socket);
    return request && packet->tcp_flags & NLB_TCP_ACK &&
           __builtin_bswap32(nlb_load32(packet->tcp + 8)) == request->snt_isn + 1;
}

NLB_INLINE int counts(struct bpf_sock *socket, const struct nlb_packet *packet) {
    if (socket->state == BPF_TCP_LISTEN) return has_cookie(socket, packet);
    if (socket->state == BPF_TCP_NEW_SYN_RECV) return acknowledges(socket, packet);
    return 1;
}

/* To be released, unless it is none. */
NLB_INLINE struct bpf_sock *find_socket(NLB_FRAME *frame, const struct nlb_packet *packet) {
    struct bpf_sock_tuple tuple = {};
    __u32 size = sizeof tuple.ipv4;
    if (packet->family == 4) {
        tuple.ipv4.saddr = (__u32)packet->source[0];
        tuple.ipv4.daddr = (__u32)packet->destination[0];
        tuple.ipv4.sport = packet->source_port;
        tuple.ipv4.dport = packet->destination_port;
    } else {
        size = sizeof tuple.ipv6;
        __builtin_memcpy(tuple.ipv6.saddr, packet->source, 16);
        __builtin_memcpy(tuple.ipv6.daddr, packet->destination, 16);
        tuple.ipv6.sport = packet->source_port;
        tuple.ipv6.dport = packet->destination_port;
    }
    return bpf_skc_lookup_tcp(frame, &tuple, size, BPF_F_CURRENT_NETNS, 0);
}

NLB_INLINE int look_up(NLB_FRAME *frame, const struct nlb_packet *packet) {
    struct bpf_sock *socket = find_socket(frame, packet);
    if (!socket) return 0;
    int belongs = counts(socket, packet);
    bpf_sk_release(socket);
    return belongs;
}

NLB_INLINE __u64 nlb_boot_ns(void *context) {
    (void)context;
    return bpf_ktime_get_boot_ns();
}

NLB_INLINE struct nlb_cursor cursor_of(NLB_FRAME *frame) {
    return (struct nlb_cursor){(const __u8 *)(long)frame->data, (const __u8 *)(long)frame->data_end,
                               0};
}

/* None of the four that follow is inlined or static: each is verified by itself, once for every
 * argument, instead of once for each way that leads there; and what is seldom needed stays out of
 * the way of what every packet needs. */
__noinline __u64 walk_extensions(NLB_FRAME *frame, __u32 offset, __u32 protocol,
                                 __u32 payload) {
    struct nlb_cursor cursor = cursor_of(frame);
    cursor.offset = (__u32)nlb_bounded(offset, 14 + 8 + 40 + 1, 0); /* it is, always */
    cursor.at += cursor.offset;
    return nlb_walk_extensions(cursor, (__u8)protocol, payload);
}

NLB_INLINE __u64 nlb_walk(void *context, struct nlb_cursor cursor, __u8 protocol, __u32 payload) {
    return walk_extensions(context, cursor.offset, protocol, payload);
}

/* Parses a frame that nlb_decide has sent on its way here. Passing on what it has parsed would cost
 * every packet more than this costs those few. */
NLB_INLINE enum nlb_reason parse_again(NLB_FRAME *frame, struct nlb_packet *packet) {
    struct nlb_cursor cursor = cursor_of(frame);
    __be16 type = take_ethernet(frame, &cursor);
    packet->family = type == NLB_TYPE_IPV4 ? 4 : 6;
    packet->ip = nlb_take_addresses(&cursor, packet);
    return packet->ip ? nlb_take_rest(frame, &cursor, packet) : NLB_TOO_SHORT;
}

__noinline int has_socket(NLB_FRAME *frame) {
    struct nlb_packet packet = {};
    return parse_again(frame, &packet) == NLB_ACCEPTED && packet.kind == NLB_KIND_TCP &&
           look_up(frame, &packet);
}

NLB_INLINE int nlb_has_socket(void *context) { return has_socket(context); }

/* A socket in whatever state will do: a SYN for an open connection or one in time-wait says nothing
 * about the service. */
NLB_INLINE int is_anybody_at(NLB_FRAME *frame, const struct nlb_packet *packet) {
    struct bpf_sock *socket = find_socket(frame, packet);
    if (!socket) return 0;
    bpf_sk_release(socket);
    return 1;
}

/* Not this port or virtual IP, but the service as such: then the stack refuses the connection, as
 * it always did. */
NLB_INLINE int is_service_at(NLB_FRAME *frame, const struct nlb_service *service) {
    struct nlb_packet there = {};
    if (service->family == 0) return 0;
    there.family = service->family;
    there.destination[0] = service->address[0];
    there.destination[1] = service->address[1];
    there.destination_port = service->port;
    return is_anybody_at(frame, &there);
}

__noinline int has_listener(NLB_FRAME *frame, __u32 table) {
    struct nlb_packet packet = {};
    if (parse_again(frame, &packet) != NLB_ACCEPTED || is_anybody_at(frame, &packet)) return 1;
    table = (__u32)nlb_bounded(table, NLB_TABLES, NLB_UNCOVERED);
    struct nlb_service *service = &state.services[table];
    if (is_service_at(frame, service)) return 1;
    if (!service->missed) {
        service->missed = 1;
        bpf_ringbuf_output(&alarm, &table, sizeof table, BPF_RB_FORCE_WAKEUP);
    }
    return 0;
}

NLB_INLINE int nlb_has_listener(void *context, __u32 table) {
    return has_listener(context, table);
}

__noinline int remember_fragment(NLB_FRAME *frame, __u32 fate) {
    struct nlb_packet packet = {};
    parse_again(frame, &packet);
    return (int)nlb_remember_fragment(state.marks, nlb_active_config(&state)->key, &packet, fate,
                                      nlb_forwards(), nlb_boot_ns(frame));
}

NLB_INLINE __u32 nlb_fragment(void *context, const struct nlb_packet *packet, __u32 fate) {
    (void)packet;
    return (__u32)remember_fragment(context, fate);
}

NLB_INLINE void count(__u32 counter) {
    __u32 zero = 0;
    struct nlb_counters *mine = bpf_map_lookup_elem(&counters, &zero);
    if (mine) mine->packets[nlb_bounded(counter, NLB_COUNTERS, 0)]++;
}

/* A function of its own, because it is needed only during a capture. A full ring and a full second
 * are counted; this never waits. */
__noinline int show(NLB_FRAME *frame, __u64 word) {
    __u32 zero = 0, length = nlb_frame_length(frame);
    struct nlb_shown *mine = bpf_map_lookup_elem(&shown_counts, &zero);
    if (!mine) return 0;
    struct nlb_capture_record record = {bpf_ktime_get_boot_ns(), word, length,
                                        length < NLB_CAPTURE_MOST ? length : NLB_CAPTURE_MOST,
                                        tag_taken_off(frame), 0};
    if (record.boot_ns - mine->second_ns >= 1000000000) {
        mine->second_ns = record.boot_ns;
        mine->in_second = 0;
    }
    if (mine->in_second++ >= NLB_CAPTURE_A_SECOND ||
        bpf_perf_event_output(frame, &shown, (__u64)record.captured << 32 | BPF_F_CURRENT_CPU,
                              &record, sizeof record) != 0)
        mine->lost++;
    return 0;
}

/* A frame that finds the ring full gets no answer: the agent has enough to answer. */
__noinline int refuse(NLB_FRAME *frame) {
    struct nlb_refused *began = bpf_ringbuf_reserve(&refused, sizeof *began, 0);
    if (!began) return 0;
    /* No frame is shorter than its Ethernet header, but the verifier does not know. */
    const __u32 most = NLB_REFUSED_MOST - 14;
    const __u32 whole = nlb_frame_length(frame) + (tag_taken_off(frame) ? 4 : 0);
    const __u32 length = 14 + (__u32)nlb_bounded(whole - 14, most + 1, most);
    began->length = length;
    if (load_bytes(frame, began->frame, length) != 0)
        bpf_ringbuf_discard(began, 0);
    else
        bpf_ringbuf_submit(began, 0);
    return 0;
}

#endif
