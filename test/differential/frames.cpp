// SPDX-License-Identifier: Apache-2.0
#include "frames.hpp"

namespace differential {

using namespace packets;

Frames::Frames(const judges::Scenario &scenario, const std::vector<judges::Flow> &flows,
               std::uint64_t seed)
    : scenario_(scenario), flows_(flows), random_(seed) {}

// Not uniform_int_distribution: every library would draw other frames from the same seed.
unsigned Frames::pick(unsigned below) { return static_cast<unsigned>(random_() % below); }

Bytes Frames::noise(unsigned most) {
    Bytes bytes(pick(most + 1));
    for (std::uint8_t &byte : bytes)
        byte = static_cast<std::uint8_t>(random_());
    return bytes;
}

std::string Frames::source() {
    return (v4_ ? "198.51.100." : "fd01::") + std::to_string(1 + pick(60));
}

std::string Frames::destination() {
    if (one_in(20)) return v4_ ? "192.0.2.7" : "fd00::7";
    for (;;) {
        const filter::IpAddress &address = one_of(scenario_.settings.virtual_ips);
        if (address.is_v4() == v4_) return to_string(address);
    }
}

std::uint16_t Frames::port() {
    static const std::vector<std::uint16_t> known = {80, 80, 80, 53, 443, 8000, 8999, 9999, 0};
    return one_in(6) ? static_cast<std::uint16_t>(random_()) : one_of(known);
}

std::uint8_t Frames::flags() {
    static const std::vector<std::uint8_t> known = {
        kSyn, kSyn, kAck, kAck, kFin | kAck, kRst, kRst | kAck, kSyn | kAck, kSyn | kRst, 0};
    return one_in(10) ? static_cast<std::uint8_t>(random_()) : one_of(known);
}

Segment Frames::tcp() {
    Tcp fields{.source = static_cast<std::uint16_t>(40000 + pick(500)), .port = port()};
    fields.flags = flags();
    fields.acknowledged = static_cast<std::uint32_t>(random_());
    fields.options = zeros(4 * (one_in(2) ? 0 : pick(11)));
    fields.payload = noise(one_in(300) ? 5000 : 30);
    if (one_in(15)) fields.offset = int(pick(16));
    return packets::tcp(fields);
}

Segment Frames::udp() {
    Udp fields{.source = static_cast<std::uint16_t>(40000 + pick(500)), .port = port()};
    fields.payload = noise(30);
    if (one_in(15)) fields.length = int(pick(100));
    return packets::udp(fields);
}

// What an ICMP error quotes: a packet that a virtual IP sent, or something else.
Bytes Frames::quoted() {
    const std::string from = one_in(4) ? source() : destination(), to = source();
    const Bytes whole = v4_ ? packets::ipv4({.source = from, .destination = to}, tcp())
                            : packets::ipv6({.source = from, .destination = to}, tcp());
    return cut(whole, one_in(3) ? pick(unsigned(whole.size())) : v4_ ? 28 : 48);
}

Segment Frames::icmp() {
    static const std::vector<std::uint8_t> types = {8, 0, 3, 3, 4, 5, 11, 12, 13};
    const std::uint8_t type = one_of(types);
    return packets::icmp(type, zeros(4) + (one_in(2) ? quoted() : noise(60)));
}

Segment Frames::icmpv6() {
    const std::uint8_t type = static_cast<std::uint8_t>(one_in(2) ? 1 + pick(4) : 126 + pick(14));
    return packets::icmpv6(type, zeros(4) + (one_in(3) ? noise(60) : quoted()));
}

Segment Frames::transport() {
    switch (pick(10)) {
    case 0:
    case 1:
        return udp();
    case 2:
        return v4_ ? icmp() : icmpv6();
    case 3: // also the other family's ICMP, and tunnels
        return other(static_cast<std::uint8_t>(one_in(2) ? random_() : v4_ ? 58 : 1), noise(60));
    default:
        return tcp();
    }
}

// Up to ten extension headers, the last but one of them perhaps a fragment's.
Segment Frames::extended(Segment inner) {
    static const std::vector<std::uint8_t> kinds = {0, 43, 60};
    if (one_in(3)) {
        const unsigned offset = one_in(2) ? 0 : 8 * (1 + pick(100));
        inner = fragment(offset + pick(2), inner, 1 + pick(6));
    }
    for (unsigned left = one_in(2) ? 0 : pick(one_in(8) ? 11 : 4); left > 0; --left)
        inner = extension(one_of(kinds), inner, one_in(50) ? 255 : 1 + pick(3));
    return inner;
}

Bytes Frames::of_flow(const judges::Flow &flow) {
    const Segment segment = packets::tcp({.source = flow.source_port,
                                          .port = flow.destination_port,
                                          .flags = flags(),
                                          .acknowledged = flow.acknowledged + pick(3),
                                          .payload = noise(20)});
    v4_ = flow.source.is_v4();
    const std::string from = to_string(flow.source), to = to_string(flow.destination);
    return v4_ ? packets::ipv4({.source = from, .destination = to}, segment)
               : packets::ipv6({.source = from, .destination = to}, segment);
}

Bytes Frames::ipv4() {
    Ip4 fields{.source = source(), .destination = destination()};
    fields.options = zeros(4 * (one_in(3) ? pick(11) : 0));
    if (one_in(6)) {
        fields.fragment = (one_in(2) ? 0x2000 : pick(8) << 13) | (one_in(2) ? 0 : pick(1000));
        fields.id = 1 + pick(6);
    }
    if (one_in(40)) fields.header_words = int(pick(16));
    if (one_in(40)) fields.total = int(pick(200));
    return packets::ipv4(fields, transport());
}

Bytes Frames::ipv6() {
    Ip6 fields{.source = source(), .destination = destination()};
    if (one_in(40)) fields.length = int(pick(200));
    return packets::ipv6(fields, extended(transport()));
}

// A length field that says something else, where lengths and next headers stand.
void Frames::lie(Bytes &frame) {
    static const std::vector<std::size_t> places = {12, 13, 14, 16, 17, 18, 19, 20, 21, 23, 38, 39,
                                                    46, 54, 55, 56, 57, 58, 59, 62, 63, 66};
    const std::size_t at = one_of(places);
    if (at < frame.size())
        frame[at] = static_cast<std::uint8_t>(one_in(2) ? frame[at] + pick(9) - 4 : random_());
}

void Frames::bend(Bytes &frame) {
    switch (pick(6)) {
    case 0: // cut off anywhere
        frame.resize(14 + pick(unsigned(frame.size() - 13)));
        break;
    case 1: // what Ethernet adds to short frames, or an application to long ones
        frame = frame + noise(60);
        break;
    case 2:
    case 3:
        lie(frame);
        break;
    default:
        for (unsigned changes = 1 + pick(6); changes > 0; --changes)
            frame[pick(unsigned(frame.size()))] = static_cast<std::uint8_t>(random_());
    }
}

Bytes Frames::next() {
    static const std::vector<std::uint16_t> tags = {0x8100, 0x88a8};
    v4_ = one_in(2);
    const Bytes packet =
        !flows_.empty() && one_in(8) ? of_flow(one_of(flows_)) : v4_ ? ipv4() : ipv6();
    Ethernet fields;
    for (unsigned left = one_in(4) ? pick(4) : 0; left > 0; --left)
        fields.tags.push_back(one_of(tags));
    Bytes frame = ethernet(packet, fields);
    while (one_in(2))
        bend(frame);
    return frame;
}

} // namespace differential
