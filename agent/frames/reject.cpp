// SPDX-License-Identifier: Apache-2.0
// By the filter's own parsing, of a frame that the filter has found well-formed and then cut off.
#include "agent/frames/reject.hpp"

#include "agent/frames/libnet.hpp"
#include "filter/verdict/user_verdict.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

constexpr std::size_t kAtOnce = 20; // a flood must not keep the loop from its beats
constexpr Time kRest = 10ms;

using Bytes = std::span<const std::uint8_t>;
using libnet::check;
using libnet::in6;

constexpr std::size_t kMacs = 12;
constexpr std::uint8_t kFin = 1, kHopLimit = 64;
constexpr std::uint16_t kDontFragment = 0x4000;

constexpr std::uint32_t kAnyLength = ~0u; // of a frame that may be cut off

bool is_one_host(const nlb_packet &packet) {
    const auto *bytes = reinterpret_cast<const std::uint8_t *>(packet.source);
    if (packet.family == 4) return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
    return bytes[0] != 0xff && (packet.source[0] != 0 || bytes[8] != 0 || bytes[9] != 0 ||
                                bytes[10] != 0 || bytes[11] != 0); // neither :: nor ::1
}

// What the client's acknowledgement number has to be: the SYN counts, and what came with it.
std::uint32_t next_sequence(const nlb_packet &syn) {
    const auto header = static_cast<std::uint32_t>(syn.tcp[12] >> 4 << 2);
    return ntohl(nlb_load32(syn.tcp + 4)) + 1 + (syn.tcp_flags & kFin) + syn.payload - header;
}

void put_reset(libnet_t *context, const nlb_packet &syn) {
    check(context, libnet_build_tcp(ntohs(syn.destination_port), ntohs(syn.source_port), 0,
                                    next_sequence(syn), TH_RST | TH_ACK, 0, 0, 0, LIBNET_TCP_H,
                                    nullptr, 0, context, 0));
}

// As much of the packet as is there and as an error may quote.
std::vector<std::uint8_t> quoted(Bytes frame, const nlb_packet &packet) {
    const auto at = static_cast<std::size_t>(packet.ip - frame.data());
    const std::size_t length = packet.family == 4
                                   ? ntohs(nlb_load16(packet.ip + 2))
                                   : std::size_t{40} + ntohs(nlb_load16(packet.ip + 4));
    const Bytes part = frame.subspan(at, std::min(length, frame.size() - at));
    return {part.begin(), part.end()};
}

void put_unreachable(libnet_t *context, const nlb_packet &packet, std::vector<std::uint8_t> quote) {
    const auto size = static_cast<std::uint32_t>(quote.size());
    check(context, packet.family == 4
                       ? libnet_build_icmpv4_unreach(ICMP_UNREACH, ICMP_UNREACH_PORT, 0,
                                                     quote.data(), size, context, 0)
                       : libnet_build_icmpv6_unreach(ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT, 0,
                                                     quote.data(), size, context, 0));
}

std::array<std::uint8_t, 16> bytes_of(const __u64 address[2]) {
    std::array<std::uint8_t, 16> bytes;
    std::memcpy(bytes.data(), address, bytes.size());
    return bytes;
}

void put_ip(libnet_t *context, const nlb_packet &packet, std::uint8_t protocol, std::size_t size) {
    const auto length = static_cast<std::uint16_t>(size);
    if (packet.family == 4)
        check(context, libnet_build_ipv4(static_cast<std::uint16_t>(LIBNET_IPV4_H + length), 0, 0,
                                         kDontFragment, kHopLimit, protocol, 0,
                                         static_cast<std::uint32_t>(packet.destination[0]),
                                         static_cast<std::uint32_t>(packet.source[0]), nullptr, 0,
                                         context, 0));
    else
        check(context, libnet_build_ipv6(0, 0, length, protocol, kHopLimit,
                                         in6(bytes_of(packet.destination)),
                                         in6(bytes_of(packet.source)), nullptr, 0, context, 0));
}

std::vector<std::uint8_t> answer(const nlb_packet &packet, Bytes frame) {
    const libnet::Context context = libnet::new_context();
    if (packet.kind == NLB_KIND_TCP) {
        put_reset(context.get(), packet);
        put_ip(context.get(), packet, NLB_IP_TCP, LIBNET_TCP_H);
    } else {
        const auto quote = quoted(frame, packet);
        const std::uint8_t protocol = packet.family == 4 ? NLB_IP_ICMP : NLB_IP_ICMPV6;
        put_unreachable(context.get(), packet, quote);
        put_ip(context.get(), packet, protocol, 8 + quote.size());
    }
    return libnet::built(context.get());
}

} // namespace

void Rejects::wait(Poll &poll) const {
    if (poll.now() < rests_until_) return poll.at(rests_until_);
    poll.read(datapath_.refused_descriptor());
}

// A client that cannot be answered (no interface, no descriptor) will retry.
void Rejects::handle(Time now) {
    if (now < rests_until_) return;
    const auto frames = datapath_.take_refused(kAtOnce);
    if (frames.empty()) return;
    if (frames.size() == kAtOnce) rests_until_ = now + kRest;
    try {
        line_.heal();
        const auto own = line_.mac();
        for (const auto &frame : frames)
            if (const auto answer = own ? build_reject(frame, *own) : std::nullopt) line_.send(*answer);
    } catch (const std::exception &) {
        line_.close();
    }
}

std::optional<std::vector<std::uint8_t>> build_reject(Bytes refused,
                                                       const filter::MacAddress &own_mac) {
    const auto [how, packet] = filter::parse(refused, kAnyLength);
    if (how != filter::ParsedFrame::How::well_formed || !is_one_host(packet) || refused[6] & 1)
        return std::nullopt;
    const bool opens =
        packet.kind == NLB_KIND_TCP
            ? (packet.tcp_flags & (NLB_TCP_SYN | NLB_TCP_ACK | NLB_TCP_RST)) == NLB_TCP_SYN
            : packet.kind == NLB_KIND_UDP;
    if (!opens) return std::nullopt;
    std::vector<std::uint8_t> frame(refused.begin() + 6, refused.begin() + kMacs);
    frame.insert(frame.end(), own_mac.begin(), own_mac.end());
    frame.insert(frame.end(), refused.data() + kMacs, packet.ip); // tags and type
    const auto said = answer(packet, refused);
    frame.insert(frame.end(), said.begin(), said.end());
    return frame;
}

} // namespace agent
