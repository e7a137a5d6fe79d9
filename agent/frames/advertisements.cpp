// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/advertisements.hpp"

#include "agent/base/failure.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <linux/filter.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/ip6.h>
#include <sys/socket.h>

namespace agent {
namespace {

constexpr std::size_t kHeaders = ETH_HLEN + sizeof(ip6_hdr);
constexpr std::size_t kMostMessage = 256; // with options; a longer one is not an answer
constexpr std::uint32_t kTarget = 8;      // where it stands in the message

template <class Value>
void set(int socket, int level, int option, const Value &value) {
    if (setsockopt(socket, level, option, &value, sizeof value) != 0) fail("listen for neighbour advertisements");
}

// Four bytes at a time.
void keep_those_of(int socket, const filter::IpAddress &address) {
    std::vector<sock_filter> steps;
    for (std::uint32_t i = 0; i < 16; i += 4) {
        const auto *b = &address.bytes[i];
        const std::uint32_t word = std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
        steps.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kTarget + i));
        steps.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, word, 1, 0));
        steps.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
    }
    steps.push_back(BPF_STMT(BPF_RET | BPF_K, kMostMessage));
    set(socket, SOL_SOCKET, SO_ATTACH_FILTER, sock_fprog{static_cast<unsigned short>(steps.size()), steps.data()});
}

// What the kernel has taken off: where the message went, and with which hop limit it came.
void read_header(msghdr &message, ip6_hdr &header) {
    for (cmsghdr *part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != IPPROTO_IPV6) continue;
        if (part->cmsg_type == IPV6_HOPLIMIT) header.ip6_hlim = *CMSG_DATA(part);
        if (part->cmsg_type == IPV6_PKTINFO)
            std::memcpy(&header.ip6_dst, CMSG_DATA(part) + offsetof(in6_pktinfo, ipi6_addr), sizeof header.ip6_dst);
    }
}

} // namespace

Advertisements::Advertisements(const std::string &interface, const filter::IpAddress &of)
    : socket_(socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6)) {
    if (!socket_) fail("listen for neighbour advertisements");
    icmp6_filter types{};
    ICMP6_FILTER_SETBLOCKALL(&types);
    ICMP6_FILTER_SETPASS(ND_NEIGHBOR_ADVERT, &types);
    set(socket_.get(), IPPROTO_ICMPV6, ICMP6_FILTER, types);
    keep_those_of(socket_.get(), of);
    if (setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.data(), static_cast<socklen_t>(interface.size())) != 0)
        fail("listen for neighbour advertisements on " + interface);
    set(socket_.get(), IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
    set(socket_.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

std::span<const std::uint8_t> Advertisements::next() {
    frame_.assign(kHeaders + kMostMessage, 0);
    iovec place{frame_.data() + kHeaders, kMostMessage};
    sockaddr_in6 from{};
    alignas(cmsghdr) std::array<std::uint8_t, 128> about{};
    msghdr message{.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &place, .msg_iovlen = 1,
                   .msg_control = about.data(), .msg_controllen = about.size(), .msg_flags = 0};
    const ssize_t size = recvmsg(socket_.get(), &message, 0);
    if (size < 0) return {};
    ip6_hdr header{};
    header.ip6_vfc = 0x60;
    header.ip6_plen = htons(static_cast<std::uint16_t>(size));
    header.ip6_nxt = IPPROTO_ICMPV6;
    header.ip6_src = from.sin6_addr;
    read_header(message, header);
    const std::uint16_t type = htons(ETHERTYPE_IPV6);
    std::memcpy(frame_.data() + ETH_HLEN - sizeof type, &type, sizeof type);
    std::memcpy(frame_.data() + ETH_HLEN, &header, sizeof header);
    return std::span(frame_).first(kHeaders + static_cast<std::size_t>(size));
}

} // namespace agent
