// SPDX-License-Identifier: Apache-2.0
// Uses the filter's own parser: what it cannot parse is not shown here either.
#include "agent/nlbctl/packet_line.hpp"

#include "filter/address.hpp"
#include "filter/verdict/user_verdict.hpp"

#include <cstring>

namespace agent {
namespace {

std::string text_of(const __u64 address[2], __u8 family) {
    filter::IpAddress ip;
    ip.family = family == 4 ? filter::IpAddress::Family::v4 : filter::IpAddress::Family::v6;
    std::memcpy(ip.bytes.data(), address, ip.bytes.size());
    return filter::to_string(ip);
}

std::string end_of(const __u64 address[2], const nlb_packet &packet, __be16 port) {
    const std::string text = text_of(address, packet.family);
    if (packet.kind != NLB_KIND_TCP && packet.kind != NLB_KIND_UDP) return text;
    return (packet.family == 4 ? text : "[" + text + "]") + ":" +
           std::to_string(__builtin_bswap16(port));
}

std::string flags_of(__u8 flags) {
    static constexpr const char *names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"};
    std::string text;
    for (unsigned bit = 0; bit < std::size(names); ++bit)
        if (flags >> bit & 1) text += (text.empty() ? " " : ",") + std::string(names[bit]);
    return text;
}

std::string what_of(const nlb_packet &packet) {
    switch (packet.kind) {
    case NLB_KIND_TCP:
        return "tcp" + flags_of(packet.tcp_flags);
    case NLB_KIND_UDP:
        return "udp";
    case NLB_KIND_LATER_FRAGMENT:
        return "fragment";
    case NLB_KIND_ICMP_ERROR:
        return "icmp error";
    default:
        if (packet.protocol == NLB_IP_ICMP || packet.protocol == NLB_IP_ICMPV6) return "icmp";
        return "protocol " + std::to_string(packet.protocol);
    }
}

} // namespace

std::string packet_line(std::span<const std::uint8_t> frame) {
    using enum filter::ParsedFrame::How;
    const auto [how, packet] = filter::parse(frame, static_cast<std::uint32_t>(frame.size()));
    if (how == no_ip) return "no IP packet";
    if (how == cut_off) return "cut off";
    return end_of(packet.source, packet, packet.source_port) + " > " +
           end_of(packet.destination, packet, packet.destination_port) +
           (how == well_formed ? " " + what_of(packet) : " malformed");
}

} // namespace agent
