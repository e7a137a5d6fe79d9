// SPDX-License-Identifier: Apache-2.0
#include "agent/neighbour_reply.hpp"

#include "agent/neighbour_groups.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <libnet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <new>
#include <stdexcept>
#include <sys/socket.h>

namespace agent {
namespace {

using filter::IpAddress;
using filter::MacAddress;

libnet_in6_addr in6(const std::array<std::uint8_t, 16> &bytes) {
    libnet_in6_addr address;
    std::memcpy(&address, bytes.data(), bytes.size());
    return address;
}

void check(libnet_t *context, libnet_ptag_t tag) {
    if (tag < 0) throw std::runtime_error(std::string("build frame: ") + libnet_geterror(context));
}

void put_ethernet(libnet_t *context, const MacAddress &to, const MacAddress &from,
                  std::uint16_t type, std::optional<std::uint16_t> tag) {
    if (tag)
        check(context, libnet_build_802_1q(to.data(), from.data(), ETHERTYPE_VLAN,
                                           static_cast<std::uint8_t>(*tag >> 13), *tag >> 12 & 1,
                                           *tag & 0xfff, type, nullptr, 0, context, 0));
    else
        check(context, libnet_build_ethernet(to.data(), from.data(), type, nullptr, 0, context, 0));
}

void put_arp(libnet_t *context, const Solicitation &question, const MacAddress &cluster_mac,
             const MacAddress &own_mac) {
    check(context,
          libnet_build_arp(ARPHRD_ETHER, ETHERTYPE_IP, 6, 4, ARPOP_REPLY, cluster_mac.data(),
                           question.target.bytes.data(), question.asker_mac.data(),
                           question.asker.bytes.data(), nullptr, 0, context, 0));
    put_ethernet(context, question.asker_mac, own_mac, ETHERTYPE_ARP, question.vlan_tag);
}

void put_advertisement(libnet_t *context, const Solicitation &question,
                       const MacAddress &cluster_mac, const MacAddress &own_mac) {
    constexpr std::array<std::uint8_t, 16> all_nodes{0xff, 2, 0, 0, 0, 0, 0, 0,
                                                     0,    0, 0, 0, 0, 0, 0, 1};
    constexpr MacAddress all_nodes_mac{0x33, 0x33, 0, 0, 0, 1};
    constexpr std::uint16_t length = LIBNET_ICMPV6_NDP_NADV_H + 8;
    const bool probe = question.is_probe();
    MacAddress option = cluster_mac;
    check(context,
          libnet_build_icmpv6_ndp_opt(ND_OPT_TARGET_LINKADDR, option.data(),
                                      static_cast<std::uint32_t>(option.size()), context, 0));
    check(context,
          libnet_build_icmpv6_ndp_nadv(ND_NEIGHBOR_ADVERT, 0, 0,
                                       ND_NA_FLAG_OVERRIDE | (probe ? 0 : ND_NA_FLAG_SOLICITED),
                                       in6(question.target.bytes), nullptr, 0, context, 0));
    check(context,
          libnet_build_ipv6(0, 0, length, IPPROTO_ICMPV6, 255, in6(question.target.bytes),
                            in6(probe ? all_nodes : question.asker.bytes), nullptr, 0, context, 0));
    put_ethernet(context, probe ? all_nodes_mac : question.asker_mac, own_mac, ETHERTYPE_IPV6,
                 question.vlan_tag);
}

void put_request(libnet_t *context, const IpAddress &target, const IpAddress &from,
                 const MacAddress &own_mac) {
    constexpr MacAddress nobody{}, everybody{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    check(context, libnet_build_arp(ARPHRD_ETHER, ETHERTYPE_IP, 6, 4, ARPOP_REQUEST, own_mac.data(),
                                    from.bytes.data(), nobody.data(), target.bytes.data(), nullptr,
                                    0, context, 0));
    put_ethernet(context, everybody, own_mac, ETHERTYPE_ARP, {});
}

void put_solicitation(libnet_t *context, const IpAddress &target, const IpAddress &from,
                      const MacAddress &own_mac) {
    const bool probe = from.bytes == decltype(from.bytes){}; // must not name a link-layer address
    const auto group = solicited_node_group(target).bytes;
    const MacAddress group_mac{0x33, 0x33, group[12], group[13], group[14], group[15]};
    MacAddress option = own_mac;
    if (!probe)
        check(context,
              libnet_build_icmpv6_ndp_opt(ND_OPT_SOURCE_LINKADDR, option.data(),
                                          static_cast<std::uint32_t>(option.size()), context, 0));
    const std::uint16_t length = LIBNET_ICMPV6_NDP_NSOL_H + (probe ? 0 : 8);
    check(context, libnet_build_icmpv6_ndp_nsol(ND_NEIGHBOR_SOLICIT, 0, 0, in6(target.bytes),
                                                nullptr, 0, context, 0));
    check(context, libnet_build_ipv6(0, 0, length, IPPROTO_ICMPV6, 255, in6(from.bytes), in6(group),
                                     nullptr, 0, context, 0));
    put_ethernet(context, group_mac, own_mac, ETHERTYPE_IPV6, {});
}

using Context = std::unique_ptr<libnet_t, decltype(&libnet_destroy)>;

Context new_context() {
    std::array<char, LIBNET_ERRBUF_SIZE> error{};
    Context context(libnet_init(LIBNET_NONE, nullptr, error.data()), &libnet_destroy);
    if (!context) throw std::bad_alloc();
    return context;
}

std::vector<std::uint8_t> whole_frame(libnet_t *context) {
    std::uint8_t *packet = nullptr;
    std::uint32_t size = 0;
    check(context, libnet_pblock_coalesce(context, &packet, &size));
    const std::unique_ptr<std::uint8_t, decltype(&std::free)> owner(packet, &std::free);
    return {packet, packet + size};
}

// libnet's link socket hears every packet of the host, and nobody reads it. Bound to a type of
// frame that is for local experiments (IEEE 802) it costs the others nothing; and it keeps none.
void deafen(int descriptor, const std::string &interface) {
    sockaddr_ll unused{};
    unused.sll_family = AF_PACKET;
    unused.sll_protocol = htons(0x88b5);
    unused.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    if (bind(descriptor, reinterpret_cast<const sockaddr *>(&unused), sizeof unused) != 0)
        throw std::runtime_error(std::string("bind libnet's socket: ") + std::strerror(errno));
    sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
    const sock_fprog program{1, &none};
    if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
        throw std::runtime_error(std::string("filter libnet's socket: ") + std::strerror(errno));
    std::array<char, 1> waiting; // what came between its opening and the filter
    while (recv(descriptor, waiting.data(), waiting.size(), MSG_DONTWAIT) >= 0) {
    }
}

} // namespace

std::vector<std::uint8_t> build_reply(const Solicitation &question, const MacAddress &cluster_mac,
                                      const MacAddress &own_mac) {
    const Context context = new_context();
    if (question.target.is_v4())
        put_arp(context.get(), question, cluster_mac, own_mac);
    else
        put_advertisement(context.get(), question, cluster_mac, own_mac);
    return whole_frame(context.get());
}

std::vector<std::uint8_t> build_question(const IpAddress &target, const IpAddress &from,
                                         const MacAddress &own_mac) {
    const Context context = new_context();
    if (target.is_v4())
        put_request(context.get(), target, from, own_mac);
    else
        put_solicitation(context.get(), target, from, own_mac);
    return whole_frame(context.get());
}

void ReplySender::Close::operator()(libnet_context *context) const { libnet_destroy(context); }

ReplySender::ReplySender(const std::string &interface) {
    std::array<char, LIBNET_ERRBUF_SIZE> error{};
    context_.reset(libnet_init(LIBNET_LINK_ADV, interface.c_str(), error.data()));
    if (!context_) throw std::runtime_error("open " + interface + " for sending: " + error.data());
    const int descriptor = libnet_getfd(context_.get());
    deafen(descriptor, interface);
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0 || fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
        throw std::runtime_error("open " + interface + " for sending: " + std::strerror(errno));
}

bool ReplySender::send(const std::vector<std::uint8_t> &frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    return libnet_adv_write_link(context_.get(), frame.data(), size) == static_cast<int>(size);
}

} // namespace agent
