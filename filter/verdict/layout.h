/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * What the BPF programs and the agent share: the reasons of a verdict and the layout of the tables.
 *
 * Everything that decides over a packet lies in one global variable, `struct nlb_state`, which the
 * agent maps into its own memory: a look-up is an array index, not a helper call, and a change is a
 * memory write. Sizes are fixed at the product's limits (32 rules, 32 virtual IPs), so that no
 * look-up follows a pointer.
 *
 * Who writes: the agent alone, save `judged`, `answered`, `marks` and `missed`. What is too large to change at once
 * exists several times, and the one word `active` says which copy counts; the programs read that
 * word once a packet.
 *
 * Compiled by clang for BPF and by C++; little-endian machines alone (buckets must agree between
 * nodes).
 */
#ifndef NLB_LAYOUT_H
#define NLB_LAYOUT_H

#include "filter/verdict/size.h"

#include <linux/types.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "nlbd runs on little-endian machines alone: the nodes' buckets would differ"
#endif

#define NLB_INLINE static inline __attribute__((always_inline))

#ifdef __cplusplus
#define NLB_ASSERT(condition) static_assert(condition)
#else
#define NLB_ASSERT(condition) _Static_assert(condition, #condition)
#endif

/* Linux 6.1 forgets the bounds of a number that the compiler keeps on the stack while it is checked,
 * and those of what is xored; a mask behind this gives it some that it believes, where the compiler
 * would leave the mask out. */
#ifdef __bpf__
#define nlb_forget(number) __asm__ volatile("" : "+r"(number))
#else
#define nlb_forget(number) (void)(number)
#endif

/* The number if it is below `below`, else `otherwise`: both constants. A comparison in C does not
 * do for an index: the compiler may compare one copy of a register and use another (clang 19), and
 * Linux 6.12 knows the bounds of the first alone. Here one register is compared and is what is
 * used; every copy is made behind it. */
NLB_INLINE __u64 nlb_bounded(__u64 number, const __u32 below, const __u32 otherwise) {
#ifdef __bpf__
    __asm__ volatile("if %0 < %1 goto +1\n%0 = %2" : "+r"(number) : "i"(below), "i"(otherwise));
    return number;
#else
    return number < below ? number : otherwise;
#endif
}

/* Every verdict has one of these reasons, and every reason a counter. Taken: the frame enters the
 * host with the interface's own MAC address. Passed: left as it is. Dropped: gone. With its name, how
 * much it matters (reasons.hpp), and what it means; README.md explains each. */
#define NLB_TAKEN(X)                                                                               \
    X(ACCEPTED, "accepted", ORDINARY, "this node serves the bucket")                               \
    X(ACCEPTED_GUARDED, "accepted_guarded", ORDINARY,                                              \
      "this node serves the bucket and has the connection")                                        \
    X(ACCEPTED_LINGERING, "accepted_lingering", ORDINARY,                                          \
      "the bucket has moved, but the connection is still here")                                    \
    X(ICMP_ERROR, "icmp_error", ORDINARY, "an ICMP error goes to every node")                      \
    X(LATER_FRAGMENT, "later_fragment", ORDINARY,                                                  \
      "a later fragment goes to every node that has not dropped the first")
#define NLB_PASSED(X)                                                                              \
    X(NOT_IP, "not_ip", ORDINARY, "neither IPv4 nor IPv6")                                         \
    X(TOO_SHORT, "too_short", ORDINARY, "the frame is too short")                                  \
    X(NOT_VIRTUAL_IP, "not_virtual_ip", ORDINARY, "not for a virtual IP")                          \
    X(NEIGHBOUR_DISCOVERY, "neighbour_discovery", ORDINARY,                                        \
      "neighbour discovery is answered by the agent")
#define NLB_DROPPED(X)                                                                             \
    X(FOREIGN, "foreign", ORDINARY, "another node serves the bucket")                              \
    X(FOREIGN_FRAGMENT, "foreign_fragment", NOTABLE,                                               \
      "the first fragment of its datagram was dropped")                                            \
    X(NO_OWNER, "no_owner", FAULT, "no node serves the bucket")                                     \
    X(REFUSED, "refused", FAULT, "no node serves the bucket, and this node tells the client so")    \
    X(RULE_DISABLED, "rule_disabled", NOTABLE, "the rule is disabled")                             \
    X(NO_LISTENER, "no_listener", NOTABLE,                                                         \
      "no process listens there any more: another node is about to take it")                           \
    X(GUARDED, "guarded", NOTABLE,                                                                 \
      "the connection is not here, and the bucket's former owner may have it")                     \
    X(LINGERING_SYN, "lingering_syn", NOTABLE,                                                     \
      "the bucket has moved: its new owner takes new connections")                                 \
    X(LINGERING_NO_SOCKET, "lingering_no_socket", NOTABLE,                                         \
      "the bucket has moved, and the connection is not here")                                      \
    X(LEASE_EXPIRED, "lease_expired", NOTABLE, "this node's right to serve has run out")           \
    X(IP_HEADER, "ip_header", FAULT, "the IP header is wrong")                                     \
    X(IP_LENGTH, "ip_length", FAULT, "the IP length is wrong")                                     \
    X(TOO_MANY_HEADERS, "too_many_headers", FAULT, "too many IPv6 extension headers")              \
    X(HEADER_TOO_DEEP, "header_too_deep", FAULT, "a header is out of reach")                       \
    X(TRUNCATED, "truncated", FAULT, "a header is cut off")                                        \
    X(TCP_HEADER, "tcp_header", FAULT, "the TCP header is wrong")                                  \
    X(UDP_LENGTH, "udp_length", FAULT, "the UDP length is wrong")                                  \
    X(ICMP_QUOTE, "icmp_quote", FAULT,                                                             \
      "an ICMP error about something that was not sent from here")                                 \
    X(UNFILTERED, "unfiltered", FAULT, "the XDP program has not seen it")                          \
    X(CAPTURE_FULL, "capture_full", FAULT, "frames came faster than they could be judged")         \
    X(CAPTURE_CUT, "capture_cut", FAULT, "it is longer than a capture holds")                      \
    X(TAP_REFUSED, "tap_refused", FAULT, "the TAP device did not take it")                         \
    X(TOO_MANY_TAGS, "too_many_tags", FAULT, "more than two VLAN tags hide what it is")            \
    X(FORWARDED, "forwarded", ORDINARY, "it was sent on to the node that serves it")               \
    X(NO_PATH, "no_path", FAULT, "the node that serves it has not told its MAC address yet")       \
    X(HOP_LIMIT, "hop_limit", NOTABLE, "another node serves it, but it may go no further")

enum nlb_reason {
#define X(name, text, importance, meaning) NLB_##name,
    NLB_TAKEN(X) NLB_PASSED(X) NLB_DROPPED(X)
#undef X
        NLB_REASONS,
    NLB_LAST_TAKEN = NLB_LATER_FRAGMENT,
    NLB_LAST_PASSED = NLB_NEIGHBOUR_DISCOVERY,
};

/* Changes with every change of anything below, so that a successor knows whether it can adopt the
 * tables; not when what was zero and not looked at gets a meaning under which zero is right. */
#define NLB_LAYOUT 8

#define NLB_MAX_NODES 32 /* numbered from 1 */
#define NLB_MAX_RULES 32
#define NLB_MAX_VIRTUAL_IPS 32
#define NLB_UNCOVERED NLB_MAX_RULES /* the table of traffic that no rule covers */
#define NLB_TABLES (NLB_MAX_RULES + 1)
#define NLB_CLASSES 128 /* of ports; 32 rules cut the range into at most 65 */
#define NLB_SLOTS 256   /* of the virtual IPs' hash table */
#define NLB_OWNER_BUFFERS 4
#define NLB_CONFIG_BUFFERS 2
#define NLB_MARKS 4096 /* of datagrams whose first fragment was dropped: fragments.h */
#define NLB_NOTES 2
#define NLB_NOTE_BYTES 4092

enum nlb_affinity { NLB_AFFINITY_NONE, NLB_AFFINITY_SINGLE, NLB_AFFINITY_NETWORK };
enum nlb_protocol { NLB_TCP, NLB_UDP, NLB_PROTOCOLS };

/* What the agent notes down for its successor; its own business what. */
struct nlb_note {
    __u32 length;
    __u8 bytes[NLB_NOTE_BYTES];
};
NLB_ASSERT(sizeof(struct nlb_note) == 4096);

/* One virtual IP at the place where its hash points; family 0: the place is free. */
struct nlb_slot {
    __u64 address[2]; /* network order; IPv4 in the first four bytes */
    __u8 family;      /* 4 or 6 */
    __u8 index;       /* of the virtual IP, for rule_of */
    __u8 zero[6];
};
NLB_ASSERT(sizeof(struct nlb_slot) == 24);

/* The slot that an address's hash points to; the agent has chosen multipliers without collisions.
 */
NLB_INLINE __u32 nlb_slot_of(const __u64 multiplier[2], const __u64 address[2]) {
    return (__u32)((address[0] * multiplier[0] + address[1] * multiplier[1]) >> 56);
}

struct nlb_rule {
    __u8 affinity;
    __u8 disabled;
};
NLB_ASSERT(sizeof(struct nlb_rule) == 2);

/* The tables of the hash that makes buckets (bucket.h): a row for each byte of an address, 0 to 15,
 * and of a port, 16 and 17; and the two rows that mix. */
struct nlb_hash {
    __u32 places[18][256];
    __u16 mixed[2][256];
};
NLB_ASSERT(sizeof(struct nlb_hash) == 19456);

/* All that follows from the configuration file. */
struct nlb_config {
    __u64 key[2];
    __u64 slot_multiplier[2]; /* under which no two virtual IPs share a slot */
    struct nlb_slot slots[NLB_SLOTS];
    struct nlb_hash hash; /* filled from the key */
    __u8 port_class[NLB_PROTOCOLS]
                   [65536]; /* of a port as it lies in the packet, in network order */
    __u8 rule_of[NLB_MAX_VIRTUAL_IPS][NLB_PROTOCOLS][NLB_CLASSES]; /* or NLB_UNCOVERED */
    struct nlb_rule rules[NLB_TABLES];
    __u8 forwards; /* delivery = "forward": program.h's `forwards` says the same */
    __u8 zero[61];
};
NLB_ASSERT(__builtin_offsetof(struct nlb_config, slots) == 32);
NLB_ASSERT(__builtin_offsetof(struct nlb_config, port_class) == 25632);
NLB_ASSERT(__builtin_offsetof(struct nlb_config, rule_of) == 156704);
NLB_ASSERT(__builtin_offsetof(struct nlb_config, rules) == 164896);
NLB_ASSERT(sizeof(struct nlb_config) == 165024);

/* Whether a node serves the buckets of a table. Where none does, it may be this node that refuses
 * new connections for all. */
enum nlb_served { NLB_BY_NOBODY, NLB_BY_SOMEBODY, NLB_REFUSED_HERE };

/* Which buckets this node serves. */
struct nlb_owners {
    __u64 mine[NLB_TABLES][NLB_BUCKETS / 64];
    __u8 served[NLB_TABLES]; /* enum nlb_served */
    __u8 zero[31];
};
NLB_ASSERT(__builtin_offsetof(struct nlb_owners, served) == NLB_TABLES * NLB_BUCKETS / 8);
NLB_ASSERT(NLB_BUCKETS != 65536 || sizeof(struct nlb_owners) == 270400);

/* Where a rule's service listens. A program that finds no listener for a SYN looks there: when
 * there is none either, the service is gone, and the agent has to know at once. */
struct nlb_service {
    __u64 address[2]; /* network order, as in nlb_slot: a virtual IP */
    __be16 port;
    __u8 family;   /* 4 or 6; 0: it is not known where */
    __u8 expected; /* 0: the programs do not look */
    __u8 missed;   /* by the programs: one of them has missed it since the agent last looked */
    __u8 zero[3];
};
NLB_ASSERT(sizeof(struct nlb_service) == 24);

/* What a refused frame began with. */
#define NLB_REFUSED_MOST 252
struct nlb_refused {
    __u32 length; /* bytes that are here */
    __u8 frame[NLB_REFUSED_MOST];
};
NLB_ASSERT(sizeof(struct nlb_refused) == 256);

struct nlb_verdict {
    __u32 reason;
    __s32 table;  /* -1: none was looked up */
    __s32 bucket; /* -1: likewise */
};
NLB_ASSERT(sizeof(struct nlb_verdict) == 12);

struct nlb_state {
    /* These four never move, whatever the layout: a successor reads them first. */
    __u32 layout;
    __u32 size;
    __u32 interface_index;
    __u32 made_clsact; /* the tc hook is ours to remove */

    __u32 active_owners;
    __u32 active_config;
    __u64 lease_ns; /* CLOCK_BOOTTIME; nothing is served from then on */
    __u64 own_mac;  /* six bytes in order, then two of zero */
    __u64 captured; /* a bit for each reason whose frames are shown: capture_record.h */
    __u64 asked;    /* by the agent, another number each time */
    __u64 answered; /* the same number, by who reads these tables */
    __u64 guarded[NLB_GROUPS / 64];
    __u64 lingering[NLB_GROUPS / 64];
    struct nlb_verdict judged; /* written by the judge program */
    __u32 active_note;
    struct nlb_note notes[NLB_NOTES];
    struct nlb_config config[NLB_CONFIG_BUFFERS];
    struct nlb_owners owners[NLB_OWNER_BUFFERS];
    __u64 marks[NLB_MARKS]; /* written by the programs */
    struct nlb_service services[NLB_TABLES];
};
NLB_ASSERT(__builtin_offsetof(struct nlb_state, active_owners) == 16);
NLB_ASSERT(__builtin_offsetof(struct nlb_state, own_mac) == 32);
NLB_ASSERT(__builtin_offsetof(struct nlb_state, guarded) == 64);
NLB_ASSERT(__builtin_offsetof(struct nlb_state, judged) == 192);
NLB_ASSERT(__builtin_offsetof(struct nlb_state, notes) == 208);
NLB_ASSERT(__builtin_offsetof(struct nlb_state, config) == 8400);
NLB_ASSERT(__builtin_offsetof(struct nlb_state, owners) == 338448);
NLB_ASSERT(NLB_BUCKETS != 65536 || __builtin_offsetof(struct nlb_state, marks) == 1420048);
NLB_ASSERT(NLB_BUCKETS != 65536 || __builtin_offsetof(struct nlb_state, services) == 1452816);
NLB_ASSERT(NLB_BUCKETS != 65536 || sizeof(struct nlb_state) == 1453608);

/* Where packets of other nodes go, with delivery = "forward" alone. Each word is right or stale by
 * itself, so these are changed in place: what a stale one costs is told in README.md. */
struct nlb_numbers { /* of a table: the node that each bucket's packets are sent to; 0: none */
    __u8 of[NLB_BUCKETS];
};

struct nlb_paths {
    __u64 macs[NLB_MAX_NODES + 1];   /* as own_mac, by node; 0: not known */
    __u32 lingering[NLB_GROUPS];     /* bit n - 1: node n may hold connections of the group */
    __u32 others;                    /* bit n - 1: node n is not this one, and has a MAC */
    __u32 zero;
};
NLB_ASSERT(sizeof(struct nlb_paths) == 2320);

struct nlb_sent { /* packets sent on, by node; one of these a processor */
    __u64 to[NLB_MAX_NODES + 1];
};

/* What the second lock looks for (filter/nft): the mark of a packet that the program let in. */
#define NLB_LOCK_MARK 0x6e6c6264

/* Packets by table and reason, so that a packet is counted once: row 0 is for those that were
 * decided without a table, row t + 1 for table t. One of these a processor; the agent adds up. */
#define NLB_REASON_BITS 6
#define NLB_COUNTERS ((NLB_TABLES + 1) << NLB_REASON_BITS)
struct nlb_counters {
    __u64 packets[NLB_COUNTERS];
};
NLB_ASSERT(NLB_REASONS <= 1 << NLB_REASON_BITS);
NLB_ASSERT(sizeof(struct nlb_counters) == 17408);

#endif
