// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/probe.hpp"

#include "agent/frames/libnet.hpp"

#include <sodium.h>

#include <algorithm>

namespace agent {
namespace {

using Bytes = std::span<const std::uint8_t>;
using filter::IpAddress;

constexpr std::array<std::uint8_t, 4> kMagic{'n', 'l', 'b', 'p'};
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSigned = 16, kTag = 16, kMessage = kSigned + kTag;
constexpr std::uint16_t kExperimental = 0x88b5, kIpv4 = 0x0800, kIpv6 = 0x86dd, kVlan = 0x8100;
constexpr std::uint16_t kDiscard = 9;
constexpr std::uint8_t kIcmp = 1, kUdp = 17;
constexpr std::size_t kUdpHeader = 8;

std::array<std::uint8_t, kTag> tag_of(Bytes text, const ProbeKey &key) {
    std::array<std::uint8_t, kTag> tag;
    crypto_generichash(tag.data(), tag.size(), text.data(), text.size(), key.data(), key.size());
    return tag;
}

std::vector<std::uint8_t> message(const Probe &probe, const ProbeKey &key) {
    std::vector<std::uint8_t> bytes(kMagic.begin(), kMagic.end());
    bytes.insert(bytes.end(),
                 {kVersion, probe.sender, static_cast<std::uint8_t>(probe.kind), probe.number});
    for (int shift = 56; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<std::uint8_t>(probe.run >> shift));
    const auto tag = tag_of(bytes, key);
    bytes.insert(bytes.end(), tag.begin(), tag.end());
    return bytes;
}

// The caller has checked that the bytes are there.
std::uint16_t be16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

IpAddress address(Bytes bytes, std::size_t at, IpAddress::Family family) {
    IpAddress found{family, {}};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), found.is_v4() ? 4 : 16,
                found.bytes.begin());
    return found;
}

struct Frame {
    std::uint16_t type = 0; // none: it is cut off
    Bytes payload;
};

Frame parse_ethernet(Bytes frame) {
    std::size_t at = 12;
    if (frame.size() >= 18 && be16(frame, at) == kVlan) at = 16;
    if (frame.size() < at + 2) return {};
    return {be16(frame, at), frame.subspan(at + 2)};
}

struct Packet {
    IpAddress source, destination;
    Bytes payload;
};

std::optional<Packet> parse_ipv4(Bytes ip, std::uint8_t protocol) {
    if (ip.size() < 20 || ip[0] >> 4 != 4) return std::nullopt;
    const std::size_t header = (ip[0] & 0xfu) * 4u, length = be16(ip, 2);
    const bool fragment = (be16(ip, 6) & 0x3fff) != 0;
    if (header < 20 || length < header || ip.size() < header || fragment || ip[9] != protocol)
        return std::nullopt;
    using Family = IpAddress::Family;
    return Packet{address(ip, 12, Family::v4), address(ip, 16, Family::v4),
                  ip.subspan(header, std::min(ip.size(), length) - header)};
}

std::optional<Packet> parse_ipv6(Bytes ip, std::uint8_t protocol) {
    constexpr std::size_t header = 40;
    if (ip.size() < header || ip[0] >> 4 != 6 || ip[6] != protocol) return std::nullopt;
    using Family = IpAddress::Family;
    return Packet{address(ip, 8, Family::v6), address(ip, 24, Family::v6),
                  ip.subspan(header, std::min<std::size_t>(ip.size() - header, be16(ip, 4)))};
}

// The message of a probe, behind either header; empty when the frame is too short.
Bytes message_in(Bytes frame) {
    const Frame ethernet = parse_ethernet(frame);
    if (ethernet.type == kExperimental) return ethernet.payload;
    const auto datagram = parse_datagram(frame);
    return datagram && datagram->port == kDiscard ? datagram->bytes : Bytes{};
}

// Behind a UDP header.
void put_datagram(libnet_t *context, const ProbeRoute &route, Bytes payload) {
    using libnet::check, libnet::in6;
    const auto size = static_cast<std::uint16_t>(kUdpHeader + payload.size());
    check(context, libnet_build_udp(kDiscard, kDiscard, size, 0, payload.data(),
                                    static_cast<std::uint32_t>(payload.size()), context, 0));
    if (route.destination->is_v4()) {
        std::uint32_t from = 0, to = 0;
        std::copy_n(route.source->bytes.begin(), 4, reinterpret_cast<std::uint8_t *>(&from));
        std::copy_n(route.destination->bytes.begin(), 4, reinterpret_cast<std::uint8_t *>(&to));
        check(context, libnet_build_ipv4(static_cast<std::uint16_t>(20 + size), 0, 0, IP_DF, 1,
                                         kUdp, 0, from, to, nullptr, 0, context, 0));
    } else {
        check(context, libnet_build_ipv6(0, 0, size, kUdp, 1, in6(route.source->bytes),
                                         in6(route.destination->bytes), nullptr, 0, context, 0));
    }
    check(context, libnet_build_ethernet(route.to.data(), route.from.data(),
                                         route.destination->is_v4() ? kIpv4 : kIpv6, nullptr, 0,
                                         context, 0));
}

} // namespace

std::string_view to_string(ProbeKind kind) {
    static constexpr std::array<std::string_view, kProbeKinds> names = {
        "ipv4", "ipv6", "large4", "large6", "plain", "broadcast", "group4", "group6"};
    return names[static_cast<std::size_t>(kind)];
}

std::string_view to_string(ProbeRefusal refusal) {
    static constexpr std::array<std::string_view, kProbeRefusals> names = {
        "malformed", "bad_tag", "other_run", "unknown_node", "repeated"};
    return names[static_cast<std::size_t>(refusal)];
}

IpAddress nowhere(IpAddress::Family family) {
    if (family == IpAddress::Family::v4) return {family, {169, 254, 0x88, 0xb5}};
    return {family, {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0xb5}};
}

std::vector<std::uint8_t> build_probe(const Probe &probe, const ProbeRoute &route,
                                      const ProbeKey &key, std::size_t size) {
    const libnet::Context context = libnet::new_context();
    std::vector<std::uint8_t> payload = message(probe, key);
    if (route.destination) {
        const std::size_t headers = (route.destination->is_v4() ? 20u : 40u) + kUdpHeader;
        payload.resize(std::max(payload.size(), size > headers ? size - headers : 0));
        put_datagram(context.get(), route, payload);
    } else {
        libnet::check(
            context.get(),
            libnet_build_ethernet(route.to.data(), route.from.data(), kExperimental, payload.data(),
                                  static_cast<std::uint32_t>(payload.size()), context.get(), 0));
    }
    return libnet::built(context.get());
}

bool is_meant_as_probe(Bytes frame) {
    const auto datagram = parse_datagram(frame);
    return datagram ? datagram->port == kDiscard : parse_ethernet(frame).type == kExperimental;
}

std::variant<Probe, ProbeRefusal> open_probe(Bytes frame, const ProbeKey &key) {
    const Bytes bytes = message_in(frame);
    if (bytes.size() < kMessage || !std::ranges::equal(bytes.first(kMagic.size()), kMagic) ||
        bytes[4] != kVersion)
        return ProbeRefusal::malformed;
    const auto tag = tag_of(bytes.first(kSigned), key);
    if (sodium_memcmp(tag.data(), bytes.data() + kSigned, kTag) != 0) return ProbeRefusal::bad_tag;
    if (bytes[6] >= kProbeKinds) return ProbeRefusal::malformed;
    Probe probe{0, bytes[5], static_cast<ProbeKind>(bytes[6]), bytes[7]};
    for (std::size_t i = 8; i < kSigned; ++i)
        probe.run = probe.run << 8 | bytes[i];
    return probe;
}

std::optional<Datagram> parse_datagram(Bytes frame) {
    const Frame ethernet = parse_ethernet(frame);
    const auto packet = ethernet.type == kIpv4   ? parse_ipv4(ethernet.payload, kUdp)
                        : ethernet.type == kIpv6 ? parse_ipv6(ethernet.payload, kUdp)
                                                 : std::nullopt;
    if (!packet || packet->payload.size() < kUdpHeader) return std::nullopt;
    const std::size_t length = be16(packet->payload, 4);
    if (length < kUdpHeader) return std::nullopt;
    return Datagram{
        packet->source, be16(packet->payload, 2),
        packet->payload.subspan(kUdpHeader, std::min(packet->payload.size(), length) - kUdpHeader)};
}

std::optional<EchoReply> parse_echo_reply(Bytes frame) {
    const Frame ethernet = parse_ethernet(frame);
    if (ethernet.type != kIpv4) return std::nullopt;
    const auto packet = parse_ipv4(ethernet.payload, kIcmp);
    if (!packet || packet->payload.size() < 8 || packet->payload[0] != 0 || packet->payload[1] != 0)
        return std::nullopt;
    EchoReply reply{{}, packet->source, packet->destination, be16(packet->payload, 4)};
    std::copy_n(frame.begin(), reply.to_mac.size(), reply.to_mac.begin());
    return reply;
}

} // namespace agent
