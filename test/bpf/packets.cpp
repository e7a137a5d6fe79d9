// SPDX-License-Identifier: Apache-2.0
#include "packets.hpp"

#include <stdexcept>

namespace packets {

namespace {

Bytes address(const std::string &text) {
    auto parsed = filter::parse_ip(text);
    if (!parsed) throw std::logic_error("no address: " + text);
    return {parsed->bytes.begin(), parsed->bytes.begin() + (parsed->is_v4() ? 4 : 16)};
}

std::uint8_t byte(unsigned value) { return static_cast<std::uint8_t>(value); }

unsigned ones_complement_sum(const Bytes &bytes) {
    unsigned sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i++)
        sum += i % 2 == 0 ? unsigned{bytes[i]} << 8 : bytes[i];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

void put_checksum(Bytes &bytes, int at, const Bytes &covered) {
    unsigned sum = ~ones_complement_sum(covered) & 0xffff;
    bytes[static_cast<std::size_t>(at)] = byte(sum >> 8);
    bytes[static_cast<std::size_t>(at) + 1] = byte(sum & 0xff);
}

Bytes finished(const Segment &segment, const Bytes &pseudo_header) {
    Bytes bytes = segment.bytes;
    if (segment.checksum_at >= 0) put_checksum(bytes, segment.checksum_at, pseudo_header + bytes);
    return bytes;
}

} // namespace

Bytes operator+(Bytes left, const Bytes &right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

Bytes zeros(std::size_t count) { return Bytes(count); }

Bytes big16(unsigned value) { return {byte(value >> 8 & 0xff), byte(value & 0xff)}; }

Bytes big32(std::uint32_t value) { return big16(value >> 16) + big16(value & 0xffff); }

Bytes cut(Bytes bytes, std::size_t length) {
    bytes.resize(length);
    return bytes;
}

Segment tcp(const Tcp &fields) {
    unsigned words =
        fields.offset >= 0 ? unsigned(fields.offset) : unsigned(5 + fields.options.size() / 4);
    Bytes bytes = big16(fields.source) + big16(fields.port) + big32(fields.sequence) +
                  big32(fields.acknowledged) + Bytes{byte(words << 4), fields.flags} +
                  big16(65535) + zeros(4) + fields.options + fields.payload;
    return {6, bytes, 16};
}

Segment udp(const Udp &fields) {
    unsigned length =
        fields.length >= 0 ? unsigned(fields.length) : unsigned(8 + fields.payload.size());
    return {17,
            big16(fields.source) + big16(fields.port) + big16(length) + zeros(2) + fields.payload,
            6};
}

Segment icmp(std::uint8_t type, Bytes rest) {
    Bytes bytes = Bytes{type, 0, 0, 0} + rest;
    put_checksum(bytes, 2, bytes);
    return {1, bytes};
}

Segment icmpv6(std::uint8_t type, Bytes rest) { return {58, Bytes{type, 0, 0, 0} + rest, 2}; }

Segment other(std::uint8_t protocol, Bytes bytes) { return {protocol, std::move(bytes)}; }

Bytes ipv4(const Ip4 &fields, const Segment &inner) {
    Bytes ends = address(fields.source) + address(fields.destination);
    Bytes payload =
        finished(inner, ends + Bytes{0, inner.protocol} + big16(unsigned(inner.bytes.size())));
    std::size_t header = 20 + fields.options.size();
    unsigned words =
        fields.header_words >= 0 ? unsigned(fields.header_words) : unsigned(header / 4);
    unsigned total = fields.total >= 0 ? unsigned(fields.total) : unsigned(header + payload.size());
    Bytes bytes = Bytes{byte(unsigned(fields.version) << 4 | words), 0} + big16(total) +
                  big16(fields.id) + big16(fields.fragment) + Bytes{64, inner.protocol} + zeros(2) +
                  ends + fields.options;
    put_checksum(bytes, 10, bytes);
    return bytes + payload;
}

Segment extension(std::uint8_t kind, const Segment &inner, unsigned units) {
    Bytes header = Bytes{inner.protocol, byte(units - 1)} + zeros(units * 8 - 2);
    header[2] = 1; // PadN over the rest
    header[3] = byte(units == 1 ? 4 : 0);
    int at = inner.checksum_at < 0 ? -1 : inner.checksum_at + int(units * 8);
    return {kind, header + inner.bytes, at};
}

Segment fragment(unsigned offset_and_more, const Segment &inner, std::uint32_t id) {
    return {44, Bytes{inner.protocol, 0} + big16(offset_and_more) + big32(id) + inner.bytes};
}

Bytes ipv6(const Ip6 &fields, const Segment &inner) {
    Bytes ends = address(fields.source) + address(fields.destination);
    unsigned size = unsigned(inner.bytes.size());
    Bytes payload = finished(inner, ends + big32(size) + big32(inner.protocol));
    unsigned length = fields.length >= 0 ? unsigned(fields.length) : size;
    return Bytes{byte(unsigned(fields.version) << 4), 0, 0, 0} + big16(length) +
           Bytes{inner.protocol, 64} + ends + payload;
}

Bytes ethernet(const Bytes &packet, const Ethernet &fields) {
    Bytes bytes(fields.destination.begin(), fields.destination.end());
    bytes.insert(bytes.end(), kClientMac.begin(), kClientMac.end());
    for (std::uint16_t tag : fields.tags)
        bytes = bytes + big16(tag) + big16(100);
    unsigned type = packet.empty() || packet[0] >> 4 == 4 ? 0x0800 : 0x86dd;
    return bytes + big16(fields.type >= 0 ? unsigned(fields.type) : type) + packet;
}

} // namespace packets
