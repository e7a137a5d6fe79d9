// SPDX-License-Identifier: Apache-2.0
// RFC 1071, 791, 8200, 9293 and 768.
#include "filter/pcap/offload.hpp"

#include <optional>

namespace filter::pcap {

namespace {

using Bytes = std::span<const std::uint8_t>;

constexpr std::uint8_t kTcp = 6, kUdp = 17;

std::uint16_t big16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}

// Where the transport header stands, and what its checksum begins with.
struct Transport {
    std::size_t ip, start, length; // length: header and payload
    std::uint8_t protocol;
    std::uint32_t addresses; // their 16-bit words, added up
};

std::uint32_t add_words(Bytes bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
        sum += big16(bytes, i);
    return sum;
}

std::optional<Transport> in_ipv4(Bytes frame, std::size_t ip) {
    if (frame.size() < ip + 20) return std::nullopt;
    const std::size_t header = (frame[ip] & 15u) * 4, total = big16(frame, ip + 2);
    const bool fragment = (big16(frame, ip + 6) & 0x3fff) != 0;
    if (header < 20 || total < header || ip + total > frame.size() || fragment) return std::nullopt;
    return Transport{ip, ip + header, total - header, frame[ip + 9],
                     add_words(frame.subspan(ip + 12, 8))};
}

bool is_extension(std::uint8_t next) { return next == 0 || next == 43 || next == 60; }

std::optional<Transport> in_ipv6(Bytes frame, std::size_t ip) {
    if (frame.size() < ip + 40) return std::nullopt;
    const std::size_t end = ip + 40 + big16(frame, ip + 4);
    std::size_t at = ip + 40;
    std::uint8_t next = frame[ip + 6];
    if (end > frame.size()) return std::nullopt;
    while (is_extension(next)) {
        if (at + 8 > end) return std::nullopt;
        next = frame[at];
        at += (frame[at + 1] + 1u) * 8;
    }
    if (at > end) return std::nullopt;
    return Transport{ip, at, end - at, next, add_words(frame.subspan(ip + 8, 32))};
}

std::optional<Transport> find_transport(Bytes frame) {
    std::size_t at = 12;
    if (frame.size() < at + 2) return std::nullopt;
    for (int tags = 0; tags < 2; tags++) {
        const std::uint16_t type = big16(frame, at);
        if ((type != 0x8100 && type != 0x88a8) || frame.size() < at + 6) break;
        at += 4;
    }
    const std::uint16_t type = big16(frame, at);
    if (type == 0x0800) return in_ipv4(frame, at + 2);
    if (type == 0x86dd) return in_ipv6(frame, at + 2);
    return std::nullopt;
}

std::uint16_t pseudo_header_sum(const Transport &transport) {
    std::uint32_t sum = transport.addresses + transport.protocol +
                        static_cast<std::uint32_t>(transport.length);
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(sum);
}

void declare_segments(Bytes frame, const Transport &tcp, std::size_t mtu, Offload &offload) {
    const std::size_t own = (frame[tcp.start + 12] >> 4) * 4u, before = tcp.start - tcp.ip + own;
    if (tcp.start - tcp.ip + tcp.length <= mtu || before >= mtu || own > tcp.length) return;
    const bool v4 = frame[tcp.ip] >> 4 == 4, congestion = (frame[tcp.start + 13] & 0x80) != 0;
    offload.segments = static_cast<std::uint8_t>((v4 ? Offload::kTcp4 : Offload::kTcp6) |
                                                 (congestion ? Offload::kCongestion : 0));
    offload.segment_size = static_cast<std::uint16_t>(mtu - before);
    offload.header_length = static_cast<std::uint16_t>(tcp.start + own);
}

} // namespace

Offload offload_of(Bytes frame, std::size_t mtu) {
    Offload offload{};
    const auto found = find_transport(frame);
    if (!found || (found->protocol != kTcp && found->protocol != kUdp)) return offload;
    const std::size_t place = found->protocol == kTcp ? 16 : 6;
    if (found->length < (found->protocol == kTcp ? 20u : 8u) ||
        big16(frame, found->start + place) != pseudo_header_sum(*found))
        return offload;
    offload.flags = Offload::kNeedsChecksum;
    offload.checksum_start = static_cast<std::uint16_t>(found->start);
    offload.checksum_offset = static_cast<std::uint16_t>(place);
    if (found->protocol == kTcp) declare_segments(frame, *found, mtu, offload);
    return offload;
}

} // namespace filter::pcap
