// SPDX-License-Identifier: Apache-2.0
//
// The verdict code compiled for user space: the very headers that the XDP program is made of. The
// pcap datapath decides with it, and the tests hold the program in the kernel against it.
#pragma once

#include "filter/verdict/layout.h"
#include "filter/verdict/packet.h"

#include <cstdint>
#include <optional>
#include <span>

namespace filter {

// What a look-up of sockets needs of a TCP packet, in network order as it lies there.
struct TcpSegment {
    __u64 source[2], destination[2]; // IPv4 in the first four bytes
    __be16 source_port, destination_port;
    __be32 sequence, acknowledged;
    __u8 family; // 4 or 6
    __u8 flags;  // nlb_tcp_flag
};

// What verdict.h cannot have from tables.
class VerdictHost {
  public:
    virtual ~VerdictHost() = default;
    // Whether this host has a socket that the packet belongs to; asked only where a bucket is
    // changing hands. verdict.h says what counts as one.
    virtual bool has_socket(const TcpSegment &segment) = 0;
    // Whether a socket listens for this SYN, or where the table's service is known to; asked only
    // while the service is expected. A host that cannot know leaves the answer to its stack.
    virtual bool has_listener(const TcpSegment &, std::uint32_t /*table*/) { return true; }
    virtual std::uint64_t boot_ns() = 0;
};

// The verdict over one Ethernet frame as a word (verdict.h: NLB_WORD_REASON, nlb_verdict_of). The
// state remembers fragments.
std::uint64_t decide(nlb_state &state, std::span<const std::uint8_t> frame, VerdictHost &host);

// What the filter reads of a frame for any receiver; beyond what `how` says the fields are 0.
struct ParsedFrame {
    enum class How { no_ip, cut_off, malformed, well_formed } how = How::no_ip; // malformed: has addresses
    nlb_packet packet{};                                                       // points into the frame
};
// length: the frame's on the wire, of which no more than the beginning need be there.
ParsedFrame parse(std::span<const std::uint8_t> frame, std::uint32_t length);

// Nothing when the frame is not a well-formed TCP packet.
std::optional<TcpSegment> parse_tcp(std::span<const std::uint8_t> frame);

// A word's parts, for those who do not include verdict.h.
std::uint32_t reason_of(std::uint64_t word);
std::uint32_t counter_of(std::uint64_t word);
nlb_verdict verdict_of(std::uint64_t word);

} // namespace filter
