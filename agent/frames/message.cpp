// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/message.hpp"

#include "agent/frames/solicited.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace agent {
namespace {

using Bytes = std::span<const std::uint8_t>;
using filter::IpAddress;
using filter::MacAddress;

constexpr std::size_t kMacs = 12; // both Ethernet addresses
constexpr std::uint16_t kVlan = 0x8100, kArp = 0x0806, kIpv6 = 0x86dd;
constexpr std::uint8_t kIcmpv6 = 58, kNeighbourSolicitation = 135, kNeighbourAdvertisement = 136;
constexpr std::uint8_t kSourceLinkAddress = 1, kTargetLinkAddress = 2;
constexpr std::size_t kOptions = 24; // where they begin in either message

// The caller has checked that the bytes are there.
std::uint16_t be16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

template <std::size_t N>
std::array<std::uint8_t, N> take(Bytes bytes, std::size_t at) {
    std::array<std::uint8_t, N> taken;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), N, taken.begin());
    return taken;
}

IpAddress v4(Bytes bytes, std::size_t at) {
    IpAddress address;
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), 4, address.bytes.begin());
    return address;
}

IpAddress v6(Bytes bytes, std::size_t at) { return {IpAddress::Family::v6, take<16>(bytes, at)}; }

bool can_be_answered(const MacAddress &mac) { return (mac[0] & 1) == 0 && mac != MacAddress{}; }

std::optional<Solicitation> parse_arp(Bytes arp) {
    constexpr std::array<std::uint8_t, 8> request{0, 1, 8, 0,
                                                  6, 4, 0, 1}; // Ethernet, IPv4, their lengths, 1
    if (arp.size() < 28 || take<8>(arp, 0) != request) return std::nullopt;
    const Solicitation found{v4(arp, 24), v4(arp, 14), take<6>(arp, 8), {}};
    return can_be_answered(found.asker_mac) ? std::optional(found) : std::nullopt;
}

// RFC 1071 over the pseudo header (addresses, length, next header) and the message; 0 when it is
// right.
std::uint16_t icmpv6_checksum(Bytes addresses, Bytes message) {
    std::uint64_t sum = message.size() + kIcmpv6;
    for (const auto part : {addresses, message})
        for (std::size_t i = 0; i < part.size(); ++i)
            sum += i % 2 == 0 ? static_cast<unsigned>(part[i] << 8) : part[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

struct Options {
    bool valid = true;
    std::optional<MacAddress> source, target;
};

Options parse_options(Bytes options) {
    Options found;
    while (!options.empty()) {
        const std::size_t length = options.size() < 2 ? 0 : options[1] * std::size_t{8};
        if (length == 0 || length > options.size()) return {false, {}, {}};
        if (options[0] == kSourceLinkAddress && length == 8) found.source = take<6>(options, 2);
        if (options[0] == kTargetLinkAddress && length == 8) found.target = take<6>(options, 2);
        options = options.subspan(length);
    }
    return found;
}

// The message behind the IPv6 header if it is neighbour discovery of this type, from this link
// and whole; otherwise nothing. Both types have a target at the same place.
Bytes discovery(Bytes packet, std::uint8_t type) {
    constexpr std::size_t header = 40;
    if (packet.size() < header + kOptions || packet[0] >> 4 != 6 || packet[6] != kIcmpv6 ||
        packet[7] != 255)
        return {};
    const std::size_t length = be16(packet, 4);
    if (length < kOptions || length > packet.size() - header) return {};
    const auto message = packet.subspan(header, length);
    const bool valid = message[0] == type && message[1] == 0 && message[8] != 0xff &&
                       icmpv6_checksum(packet.subspan(8, 32), message) == 0;
    return valid ? message : Bytes{};
}

std::optional<Solicitation> parse_ipv6(Bytes packet, const MacAddress &sender) {
    const Bytes message = discovery(packet, kNeighbourSolicitation);
    if (message.empty()) return std::nullopt;
    const auto options = parse_options(message.subspan(kOptions));
    const Solicitation found{v6(message, 8), v6(packet, 8), options.source.value_or(sender), {}};
    if (!options.valid || found.asker.bytes[0] == 0xff) return std::nullopt;
    if (found.is_probe() &&
        (options.source || v6(packet, 24) != solicited_node_group(found.target)))
        return std::nullopt;
    return can_be_answered(found.asker_mac) ? std::optional(found) : std::nullopt;
}

std::optional<IpAddress> parse_arp_reply(Bytes arp) {
    constexpr std::array<std::uint8_t, 8> reply{0, 1, 8, 0, 6, 4, 0, 2};
    if (arp.size() < 28 || take<8>(arp, 0) != reply) return std::nullopt;
    return can_be_answered(take<6>(arp, 8)) ? std::optional(v4(arp, 14)) : std::nullopt;
}

std::optional<IpAddress> parse_advertisement(Bytes packet) {
    constexpr std::uint8_t solicited = 0x40;
    const Bytes message = discovery(packet, kNeighbourAdvertisement);
    if (message.empty() || !parse_options(message.subspan(kOptions)).valid) return std::nullopt;
    const bool to_group = packet[24] == 0xff;
    if (packet[8] == 0xff || (to_group && (message[4] & solicited) != 0)) return std::nullopt;
    return v6(message, 8);
}

std::optional<Claim> parse_arp_claim(Bytes arp) {
    constexpr std::array<std::uint8_t, 7> any{0, 1, 8, 0, 6, 4, 0}; // a request or a reply
    if (arp.size() < 28 || take<7>(arp, 0) != any || arp[7] < 1 || arp[7] > 2) return std::nullopt;
    const Claim found{v4(arp, 14), take<6>(arp, 8)};
    return found.address.bytes == IpAddress{}.bytes ? std::nullopt : std::optional(found);
}

std::optional<Claim> parse_ipv6_claim(Bytes packet) {
    const auto target = parse_advertisement(packet);
    if (!target) return std::nullopt;
    const auto mac = parse_options(discovery(packet, kNeighbourAdvertisement).subspan(kOptions)).target;
    return mac ? std::optional(Claim{*target, *mac}) : std::nullopt;
}

// What is behind the Ethernet header and at most one tag.
struct Payload {
    std::uint16_t type = 0; // none: it is cut off
    std::optional<std::uint16_t> tag;
    Bytes bytes;
};

Payload payload_of(Bytes frame) {
    Payload found;
    std::size_t at = kMacs;
    if (frame.size() >= kMacs + 6 && be16(frame, at) == kVlan) {
        found.tag = be16(frame, at + 2);
        at += 4;
    }
    if (frame.size() < at + 2) return found;
    found.type = be16(frame, at);
    found.bytes = frame.subspan(at + 2);
    return found;
}

} // namespace

std::optional<Solicitation> parse_solicitation(Bytes frame) {
    const Payload payload = payload_of(frame);
    auto found = payload.type == kArp    ? parse_arp(payload.bytes)
                 : payload.type == kIpv6 ? parse_ipv6(payload.bytes, take<6>(frame, 6))
                                         : std::nullopt;
    if (found) found->vlan_tag = payload.tag;
    return found;
}

std::optional<Claim> parse_claim(Bytes frame) {
    const Payload payload = payload_of(frame);
    return payload.type == kArp    ? parse_arp_claim(payload.bytes)
           : payload.type == kIpv6 ? parse_ipv6_claim(payload.bytes)
                                   : std::nullopt;
}

std::optional<IpAddress> parse_answer(Bytes frame) {
    if (frame.size() < kMacs + 2) return std::nullopt;
    const auto type = be16(frame, kMacs);
    const auto payload = frame.subspan(kMacs + 2);
    return type == kArp    ? parse_arp_reply(payload)
           : type == kIpv6 ? parse_advertisement(payload)
                           : std::nullopt;
}

} // namespace agent
