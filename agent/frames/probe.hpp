// SPDX-License-Identifier: Apache-2.0
//
// The frames by which `nlbctl doctor` looks at a network: each node sends some, all say which they
// heard.
//
// A probe has to meet the rules that clients' frames meet, so its usual form is an IP packet in a
// frame to the cluster MAC. Many switches look at nothing but the MAC address, and for them any
// EtherType would do. Others look further: a bridge that snoops IGMP delivers an IPv4 frame with a
// group's MAC by its IP address, but floods a frame of an EtherType that it does not know; a
// hypervisor's port filter may let through IP and ARP alone. A frame of IEEE's local experimental
// EtherType (0x88B5) would get through the first and not through the second, and be wrong about
// both. It is sent as well, because a network that delivers it and not the IP form is one that
// looks at IP addresses.
//
// The IP packet goes to a link-local address that no host has, and not to a virtual IP: the filter
// passes what is for no virtual IP and does not count it, whatever state it is in, and no stack
// takes it in, because the address is not its own and a frame that was not addressed to the host's
// own MAC is not forwarded. So there is no answer. TTL 1, UDP port 9 (discard, RFC 863). The source
// is the sending node's own MAC and address.
//
// Behind EtherType or UDP header, in network byte order:
//
//     magic "nlbp" 4 | version 1 | sender 1 | kind 1 | number 1 | run 8 | tag 16
//
// The tag is a keyed BLAKE2b over what stands before it, with a key of the probes alone. The run is
// a random number that a node learns by the control plane, so what was recorded in one run is
// refused in every other; within a run a frame counts once. Large probes are padded with zeros.
#pragma once

#include "filter/address.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace agent {

enum class ProbeKind : std::uint8_t {
    ipv4,      // as a client's: to the cluster MAC
    ipv6,      //
    large4,    // the same, as long as the interface's MTU allows
    large6,    //
    plain,     // EtherType 0x88B5, to the cluster MAC
    broadcast, // IPv4, to all
    group4,    // as a beat: to the heartbeat group
    group6,
};
inline constexpr std::size_t kProbeKinds = 8;
std::string_view to_string(ProbeKind kind);

using ProbeKey = std::array<std::uint8_t, 32>; // see probe_key() of the cluster key

struct Probe {
    std::uint64_t run = 0;
    std::uint8_t sender = 0; // a node's id
    ProbeKind kind = ProbeKind::plain;
    std::uint8_t number = 0; // of those of its kind
    bool operator==(const Probe &) const = default;
};

// From where to where a frame goes. Without addresses it is of EtherType 0x88B5.
struct ProbeRoute {
    filter::MacAddress to{}, from{};
    std::optional<filter::IpAddress> source{}, destination{}; // of one family
};

// The address that no host has: 169.254.136.181 or fe80::88b5.
filter::IpAddress nowhere(filter::IpAddress::Family family);

// size: bytes of the IP packet; 0: as short as it can be. Throws std::runtime_error, "build frame:
// cause".
std::vector<std::uint8_t> build_probe(const Probe &probe, const ProbeRoute &route,
                                      const ProbeKey &key, std::size_t size = 0);

enum class ProbeRefusal : std::uint8_t {
    malformed,
    bad_tag,
    other_run, // this and the next two: by the run that is under way
    unknown_node,
    repeated,
};
inline constexpr std::size_t kProbeRefusals = 5;
std::string_view to_string(ProbeRefusal refusal);

// By its EtherType or its UDP port: whatever comes there must be one.
bool is_meant_as_probe(std::span<const std::uint8_t> frame);
// An Ethernet frame as it was heard, its end perhaps cut off behind the tag.
std::variant<Probe, ProbeRefusal> open_probe(std::span<const std::uint8_t> frame,
                                             const ProbeKey &key);

// An unfragmented UDP datagram in an Ethernet frame with at most one 802.1Q tag; `bytes` is the
// captured part of its payload. Nothing when it is not one. Checksums are not verified.
struct Datagram {
    filter::IpAddress source;
    std::uint16_t port = 0; // destination
    std::span<const std::uint8_t> bytes;
};
std::optional<Datagram> parse_datagram(std::span<const std::uint8_t> frame);

// The same for an ICMP echo reply.
struct EchoReply {
    filter::MacAddress to_mac{};
    filter::IpAddress source, destination;
    std::uint16_t id = 0;
};
std::optional<EchoReply> parse_echo_reply(std::span<const std::uint8_t> frame);

} // namespace agent
