// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/wire.hpp"

#include "heartbeat/codec.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace heartbeat {
namespace {

constexpr std::size_t kUdp = 8, kIpv6 = 40, kLongestIpv4 = 60; // bytes of headers
constexpr std::uint32_t kNothing = 0, kEverything = 0xffffffff;

// Classic BPF whose every comparison that fails drops the packet. Offsets count from the IP header.
class Filter {
  public:
    // The word of `width` (BPF_B, BPF_H, BPF_W) at `at`, from the UDP header where `behind_header`, has this value.
    Filter &require(std::uint16_t width, std::uint32_t at, std::uint32_t value, bool behind_header = false) {
        const auto mode = static_cast<std::uint16_t>(behind_header ? BPF_IND : BPF_ABS);
        steps_.push_back(BPF_STMT(static_cast<std::uint16_t>(BPF_LD | width | mode), at));
        return compare(value);
    }
    Filter &add(const sock_filter &step) {
        steps_.push_back(step);
        return *this;
    }
    Filter &compare(std::uint32_t value) {
        steps_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
        steps_.push_back(BPF_STMT(BPF_RET | BPF_K, kNothing));
        return *this;
    }
    void attach(int socket) {
        steps_.push_back(BPF_STMT(BPF_RET | BPF_K, kEverything));
        const sock_fprog program{static_cast<unsigned short>(steps_.size()), steps_.data()};
        if (setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
            fail("filter heartbeats on the wire");
    }

  private:
    std::vector<sock_filter> steps_;
};

std::uint32_t word_of(const std::uint8_t *bytes) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return ntohl(word);
}

// What this cluster's beats begin with (codec.hpp), in whole datagrams to that address and port. The index
// register holds the length of the IP header.
void keep_beats(int socket, const Inlet &inlet) {
    constexpr std::uint32_t kMagic = 0x6e6c6264;
    const bool v6 = inlet.to.v6;
    const std::uint8_t *to = inlet.to.bytes.data();
    Filter filter;
    filter.require(BPF_B, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT), 0);
    filter.require(BPF_B, v6 ? 6 : 9, IPPROTO_UDP);
    if (!is_group(inlet.to)) filter.require(BPF_B, v6 ? 7 : 8, kNearTtl);
    if (v6) {
        for (std::uint32_t i = 0; i < 16; i += 4)
            filter.require(BPF_W, 24 + i, word_of(to + i));
        filter.add(BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, kIpv6));
    } else {
        filter.add(BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6)).add(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x3fff)).compare(0);
        filter.require(BPF_W, 16, word_of(to));
        filter.add(BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0));
    }
    filter.require(BPF_H, 2, inlet.port, true);
    filter.require(BPF_W, kUdp, kMagic, true);
    filter.require(BPF_W, kUdp + 5, static_cast<std::uint32_t>(inlet.cluster >> 32), true);
    filter.require(BPF_W, kUdp + 9, static_cast<std::uint32_t>(inlet.cluster), true);
    filter.attach(socket);
}

// How long the IP header is; 0: there is no UDP payload behind it.
std::size_t header_of(bool v6, std::span<const std::uint8_t> packet) {
    const std::size_t header = v6 ? kIpv6 : packet.empty() ? 0 : std::size_t{packet[0] & 0xfU} * 4;
    return header >= 20 && packet.size() >= header + kUdp ? header : 0;
}

} // namespace

// The socket takes nothing before it is bound with a protocol, so nothing comes in past the filter.
Wire::Wire(const Inlet &inlet)
    : v6_(inlet.to.v6), index_(inlet.index), socket_(socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    if (socket_ < 0) fail("open a packet socket for heartbeats");
    try {
        const int yes = 1;
        setsockopt(socket_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes);
        keep_beats(socket_, inlet);
        sockaddr_ll where{};
        where.sll_family = AF_PACKET;
        where.sll_protocol = htons(v6_ ? ETH_P_IPV6 : ETH_P_IP);
        where.sll_ifindex = index_;
        if (bind(socket_, reinterpret_cast<const sockaddr *>(&where), sizeof where) != 0)
            fail("bind a packet socket for heartbeats");
    } catch (...) {
        close(socket_);
        throw;
    }
}

Wire::~Wire() { close(socket_); }

std::optional<Transport::Received> Wire::receive(std::span<std::uint8_t> buffer) const {
    std::array<std::uint8_t, kLongestIpv4 + kUdp + kMaxDatagram + 1> packet; // one more, so that too long is seen
    for (;;) {
        const ssize_t size = recv(socket_, packet.data(), packet.size(), MSG_DONTWAIT);
        if (size < 0 && errno == EINTR) continue;
        if (size < 0) return std::nullopt;
        const std::span whole = std::span(packet).first(static_cast<std::size_t>(size));
        const std::size_t header = header_of(v6_, whole);
        if (header == 0) continue;
        const std::size_t claimed = static_cast<std::size_t>(whole[header + 4] << 8 | whole[header + 5]);
        const auto behind = whole.subspan(header + kUdp);
        const std::size_t length = std::min({behind.size(), buffer.size(), claimed - std::min(claimed, kUdp)});
        std::ranges::copy(behind.first(length), buffer.begin());
        Transport::Received received{length, {}};
        received.from.v6 = v6_;
        std::memcpy(received.from.address.data(), whole.data() + (v6_ ? 8 : 12), v6_ ? 16 : 4);
        if (v6_) received.from.scope = static_cast<std::uint32_t>(index_);
        return received;
    }
}

} // namespace heartbeat
