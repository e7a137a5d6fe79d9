// SPDX-License-Identifier: Apache-2.0
#include "plain.hpp"

#include <algorithm>
#include <optional>

namespace judges {
namespace {

using filter::IpAddress;

// Bytes that are there, and among them those that can be read; a header may end beyond both.
struct Bytes {
    std::span<const std::uint8_t> frame;
    std::size_t readable = 0;
    std::size_t at = 0;

    bool can_read(std::size_t count) const { return at + count <= readable; }
    std::size_t left() const { return at < frame.size() ? frame.size() - at : 0; }
    unsigned byte(std::size_t i) const { return frame[at + i]; }
    unsigned big16(std::size_t i) const { return byte(i) << 8 | byte(i + 1); }
    std::uint32_t big32(std::size_t i) const {
        return std::uint32_t{big16(i)} << 16 | big16(i + 2);
    }

    IpAddress address(std::size_t i, bool v4) const {
        IpAddress result;
        result.family = v4 ? IpAddress::Family::v4 : IpAddress::Family::v6;
        std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at + i), v4 ? 4 : 16,
                    result.bytes.begin());
        return result;
    }
};

constexpr nlb_verdict without_table(nlb_reason reason) { return {reason, -1, -1}; }
constexpr unsigned kTcp = 6, kUdp = 17, kFragment = 44;

bool is_extension(unsigned protocol) {
    return protocol == 0 || protocol == 43 || protocol == kFragment || protocol == 60;
}

bool is_tag(unsigned type) { return type == 0x8100 || type == 0x88a8; }

bool bit(const filter::GroupSet &groups, unsigned bucket) {
    const unsigned group = bucket / filter::kBucketsPerGroup;
    return groups[group / 64] >> group % 64 & 1;
}

bool dropped(nlb_reason reason) { return reason > NLB_LAST_PASSED; }

} // namespace

// A packet on its way through the headers.
struct Plain::Packet {
    Bytes bytes; // stands at what has not been read yet
    Flow flow;
    unsigned protocol = 0;
    std::size_t payload = 0; // by the IP header's word
    bool first_fragment = false, later_fragment = false, extended = false, ported = false;
    Datagram datagram;

    bool v4() const { return flow.source.is_v4(); }
    std::optional<nlb_reason> missing(std::size_t size) const {
        if (payload < size) return NLB_TRUNCATED;
        if (!bytes.can_read(size)) return NLB_HEADER_TOO_DEEP;
        return std::nullopt;
    }
    nlb_reason read_ipv4();
    nlb_reason read_ipv6();
    nlb_reason read_extensions();
    nlb_reason read_transport();
    nlb_reason read_tcp();
    nlb_reason read_udp();
    nlb_reason read_icmp();
    nlb_reason read_quote() const;
};

nlb_reason Plain::Packet::read_ipv4() {
    const std::size_t header = (bytes.byte(0) & 15) * 4, total = bytes.big16(2);
    if (bytes.byte(0) >> 4 != 4 || header < 20) return NLB_IP_HEADER;
    if (total < header || total > bytes.left()) return NLB_IP_LENGTH;
    const unsigned fragment = bytes.big16(6);
    const bool more = fragment & 0x2000, displaced = fragment & 0x1fff;
    first_fragment = more && !displaced;
    later_fragment = displaced;
    protocol = bytes.byte(9);
    datagram = {flow.source, flow.destination, bytes.big16(4), static_cast<std::uint8_t>(protocol)};
    payload = total - header;
    bytes.at += header;
    return NLB_ACCEPTED;
}

nlb_reason Plain::Packet::read_ipv6() {
    if (bytes.byte(0) >> 4 != 6) return NLB_IP_HEADER;
    payload = bytes.big16(4);
    if (payload > bytes.left() - 40) return NLB_IP_LENGTH;
    protocol = bytes.byte(6);
    bytes.at += 40;
    return is_extension(protocol) ? read_extensions() : NLB_ACCEPTED;
}

nlb_reason Plain::Packet::read_extensions() {
    extended = true;
    bool first = false;
    for (int count = 0; is_extension(protocol); ++count) {
        if (count == 8) return NLB_TOO_MANY_HEADERS;
        if (const auto why = missing(8)) return *why;
        const std::size_t length = protocol == kFragment ? 8 : (bytes.byte(1) + 1) * 8;
        if (length > payload) return NLB_TRUNCATED;
        if (protocol == kFragment) {
            datagram = {flow.source, flow.destination, bytes.big32(4), 0};
            later_fragment = bytes.big16(2) >> 3 != 0;
            if (later_fragment) return NLB_ACCEPTED;
            first = first || (bytes.big16(2) & 1);
        }
        protocol = bytes.byte(0);
        bytes.at += length;
        payload -= length;
    }
    first_fragment = first;
    return NLB_ACCEPTED;
}

nlb_reason Plain::Packet::read_transport() {
    if (protocol == kTcp) return read_tcp();
    if (protocol == kUdp) return read_udp();
    return protocol == (v4() ? 1 : 58) ? read_icmp() : NLB_ACCEPTED;
}

nlb_reason Plain::Packet::read_tcp() {
    if (const auto why = missing(20)) return *why;
    const std::size_t length = (bytes.byte(12) >> 4) * 4;
    if (length < 20 || length > payload) return NLB_TCP_HEADER;
    ported = true;
    flow.source_port = static_cast<std::uint16_t>(bytes.big16(0));
    flow.destination_port = static_cast<std::uint16_t>(bytes.big16(2));
    flow.acknowledged = bytes.big32(8);
    flow.flags = static_cast<std::uint8_t>(bytes.byte(13));
    return NLB_ACCEPTED;
}

nlb_reason Plain::Packet::read_udp() {
    if (const auto why = missing(8)) return *why;
    const std::size_t length = bytes.big16(4);
    if (length < 8 || (length > payload && !first_fragment)) return NLB_UDP_LENGTH;
    ported = true;
    flow.source_port = static_cast<std::uint16_t>(bytes.big16(0));
    flow.destination_port = static_cast<std::uint16_t>(bytes.big16(2));
    return NLB_ACCEPTED;
}

// The verdict is told in the reason where ICMP has one of its own.
nlb_reason Plain::Packet::read_icmp() {
    if (const auto why = missing(8)) return *why;
    const unsigned type = bytes.byte(0);
    const bool error =
        v4() ? (type >= 3 && type <= 5) || type == 11 || type == 12 : type >= 1 && type <= 4;
    if (error) return read_quote();
    if (!v4() && !extended && type >= 133 && type <= 137) return NLB_NEIGHBOUR_DISCOVERY;
    return NLB_ACCEPTED;
}

nlb_reason Plain::Packet::read_quote() const {
    const std::size_t quoted = v4() ? 20 : 40;
    if (const auto why = missing(8 + quoted)) return *why;
    const bool same_family = bytes.byte(8) >> 4 == (v4() ? 4u : 6u);
    const IpAddress sender = bytes.address(v4() ? 8 + 12 : 8 + 8, v4());
    return same_family && sender == flow.destination ? NLB_ICMP_ERROR : NLB_ICMP_QUOTE;
}

nlb_verdict Plain::judge(std::span<const std::uint8_t> frame, std::size_t readable) {
    Packet packet;
    Bytes &bytes = packet.bytes;
    bytes = {frame, std::min(readable, frame.size())};
    if (!bytes.can_read(14)) return without_table(NLB_TOO_SHORT);
    unsigned type = bytes.big16(12);
    bytes.at = 14;
    for (int tags = 0; tags < 2 && is_tag(type); ++tags) {
        if (!bytes.can_read(4)) return without_table(NLB_TOO_SHORT);
        type = bytes.big16(2);
        bytes.at += 4;
    }
    const bool v4 = type == 0x0800;
    if (is_tag(type)) return without_table(NLB_TOO_MANY_TAGS);
    if (type == 0) return without_table(NLB_TOO_SHORT);
    if (!v4 && type != 0x86dd) return without_table(NLB_NOT_IP);
    if (!bytes.can_read(v4 ? 20 : 40)) return without_table(NLB_TOO_SHORT);
    packet.flow.source = bytes.address(v4 ? 12 : 8, v4);
    packet.flow.destination = bytes.address(v4 ? 16 : 24, v4);
    if (virtual_ip(packet.flow.destination) < 0) return without_table(NLB_NOT_VIRTUAL_IP);
    return judge_ip(packet);
}

nlb_verdict Plain::judge_ip(Packet packet) {
    nlb_reason reason = packet.v4() ? packet.read_ipv4() : packet.read_ipv6();
    if (reason != NLB_ACCEPTED) return without_table(reason);
    if (packet.later_fragment)
        return without_table(dropped_.contains(packet.datagram) ? NLB_FOREIGN_FRAGMENT
                                                                : NLB_LATER_FRAGMENT);
    reason = packet.read_transport();
    const nlb_verdict verdict =
        reason == NLB_ACCEPTED ? judge_table(packet) : without_table(reason);
    if (packet.first_fragment && dropped(nlb_reason(verdict.reason)))
        dropped_.insert(packet.datagram);
    else if (packet.first_fragment)
        dropped_.erase(packet.datagram);
    return verdict;
}

int Plain::virtual_ip(const IpAddress &address) const {
    const auto &all = scenario_.settings.virtual_ips;
    const auto found = std::find(all.begin(), all.end(), address);
    return found == all.end() ? -1 : int(found - all.begin());
}

int Plain::rule_of(const Packet &packet) const {
    const int address = virtual_ip(packet.flow.destination);
    for (std::size_t i = 0; packet.ported && i < scenario_.settings.rules.size(); ++i) {
        const filter::Rule &rule = scenario_.settings.rules[i];
        const unsigned port = packet.flow.destination_port;
        if ((packet.protocol == kTcp ? rule.tcp : rule.udp) && rule.virtual_ips >> address & 1 &&
            port >= rule.first_port && port <= rule.last_port)
            return int(i);
    }
    return -1;
}

nlb_verdict Plain::judge_table(const Packet &packet) {
    const int rule = rule_of(packet);
    const std::size_t rules = scenario_.settings.rules.size();
    const std::size_t table = rule < 0 ? rules : static_cast<std::size_t>(rule);
    const __s32 place = rule < 0 ? NLB_UNCOVERED : rule;
    filter::Affinity affinity = filter::Affinity::single;
    if (rule >= 0) {
        affinity = scenario_.settings.rules[table].affinity;
        if (scenario_.settings.rules[table].disabled) return {NLB_RULE_DISABLED, place, -1};
    }
    const unsigned bucket = buckets_.of(affinity, packet.flow.source, packet.flow.source_port);
    return {judge_bucket(packet, table, bucket), place, __s32(bucket)};
}

// A process listens where the SYN goes, or where the rule's service is known to be.
bool Plain::is_served(const Packet &packet, std::size_t rule) const {
    const auto expected = scenario_.expected.find(rule);
    if (expected == scenario_.expected.end() || has_listener_(packet.flow)) return true;
    const auto &known = expected->second;
    return known && has_listener_({{}, known->address, 0, known->port});
}

nlb_reason Plain::judge_bucket(const Packet &packet, std::size_t table, unsigned bucket) {
    const bool mine = scenario_.tables[table].mine[bucket / 64] >> bucket % 64 & 1;
    const bool tcp = packet.protocol == kTcp;
    const bool opens = tcp && (packet.flow.flags & (2 | 4 | 16)) == 2; // SYN, no RST, no ACK
    const auto has_socket = [&] { return tcp && !opens && has_socket_(packet.flow); };
    const filter::Table &who = scenario_.tables[table];
    if (!mine && !who.has_owner && who.refuses && scenario_.lease &&
        (opens || packet.protocol == kUdp))
        return NLB_REFUSED;
    if (!mine && tcp && bit(scenario_.lingering, bucket)) {
        if (opens) return who.has_owner ? NLB_LINGERING_SYN : NLB_NO_OWNER;
        return has_socket() ? NLB_ACCEPTED_LINGERING : NLB_LINGERING_NO_SOCKET;
    }
    if (!mine) return who.has_owner ? NLB_FOREIGN : NLB_NO_OWNER;
    if (!scenario_.lease) return has_socket() ? NLB_ACCEPTED_LINGERING : NLB_LEASE_EXPIRED;
    if (opens && !is_served(packet, table)) return NLB_NO_LISTENER;
    if (tcp && !opens && bit(scenario_.guarded, bucket))
        return has_socket() ? NLB_ACCEPTED_GUARDED : NLB_GUARDED;
    return NLB_ACCEPTED;
}

bool agree(const nlb_verdict &plain, const nlb_verdict &other) {
    const bool forgotten =
        plain.reason == NLB_FOREIGN_FRAGMENT && other.reason == NLB_LATER_FRAGMENT;
    return (plain.reason == other.reason || forgotten) && plain.table == other.table &&
           plain.bucket == other.bucket;
}

} // namespace judges
