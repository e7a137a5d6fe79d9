// SPDX-License-Identifier: Apache-2.0
// Frames, built from the inside out: ethernet(ipv4({...}, tcp({...}))). Correct unless told
// otherwise, lengths and checksums included, so that what a test names is what is wrong with its
// frame.
#pragma once

#include "filter/address.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace packets {

using Bytes = std::vector<std::uint8_t>;

inline constexpr filter::MacAddress kClusterMac = {0x03, 0xbf, 192, 0, 2, 100};
inline constexpr filter::MacAddress kClientMac = {0x02, 0, 0, 0, 0, 9};

Bytes operator+(Bytes left, const Bytes &right);
Bytes zeros(std::size_t count);
Bytes big16(unsigned value);
Bytes big32(std::uint32_t value);
Bytes cut(Bytes bytes, std::size_t length);

enum : std::uint8_t { kFin = 1, kSyn = 2, kRst = 4, kAck = 16 };

// Transport headers carry no addresses, but their checksums do: the IP builders fill those in.
struct Segment {
    std::uint8_t protocol;
    Bytes bytes;
    int checksum_at = -1; // -1: none
};

struct Tcp {
    std::uint16_t source = 40000, port = 80;
    std::uint8_t flags = kSyn;
    std::uint32_t sequence = 1000, acknowledged = 0;
    int offset = -1; // in words; -1: right
    Bytes options = {};
    Bytes payload = {};
};
Segment tcp(const Tcp &fields);

struct Udp {
    std::uint16_t source = 40000, port = 53;
    int length = -1;
    Bytes payload = {1, 2, 3, 4};
};
Segment udp(const Udp &fields);

Segment icmp(std::uint8_t type, Bytes rest = zeros(8)); // IPv4: after the first four bytes
Segment icmpv6(std::uint8_t type, Bytes rest = zeros(8));
Segment other(std::uint8_t protocol, Bytes bytes = zeros(16));

struct Ip4 {
    std::string source = "198.51.100.9", destination = "192.0.2.100";
    int version = 4, header_words = -1, total = -1;
    Bytes options = {};
    unsigned fragment = 0; // flags and offset as on the wire: 0x2000 more follow, then offset / 8
    unsigned id = 0;
};
Bytes ipv4(const Ip4 &fields, const Segment &inner);

// An extension header of `units` times eight bytes in front of `inner`.
Segment extension(std::uint8_t kind, const Segment &inner, unsigned units = 1);
Segment fragment(unsigned offset_and_more, const Segment &inner, std::uint32_t id = 7);

struct Ip6 {
    std::string source = "fd01::9", destination = "fd00::100";
    int version = 6, length = -1;
};
Bytes ipv6(const Ip6 &fields, const Segment &inner);

// The type follows from the packet's first byte unless given.
struct Ethernet {
    std::vector<std::uint16_t> tags = {}; // 0x8100, 0x88a8
    int type = -1;
    filter::MacAddress destination = kClusterMac;
};
Bytes ethernet(const Bytes &packet, const Ethernet &fields = {});

} // namespace packets
