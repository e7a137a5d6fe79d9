// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/reply.hpp"

#include "agent/frames/libnet.hpp"
#include "agent/frames/solicited.hpp"

#include <array>

namespace agent {
namespace {

using filter::IpAddress;
using filter::MacAddress;
using libnet::check;
using libnet::in6;

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

// from_mac: the sender's by the message; the frame is from own_mac.
void put_request(libnet_t *context, const IpAddress &target, const IpAddress &from,
                 const MacAddress &from_mac, const MacAddress &own_mac) {
    constexpr MacAddress nobody{}, everybody{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    check(context, libnet_build_arp(ARPHRD_ETHER, ETHERTYPE_IP, 6, 4, ARPOP_REQUEST, from_mac.data(),
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

} // namespace

std::vector<std::uint8_t> build_reply(const Solicitation &question, const MacAddress &cluster_mac,
                                      const MacAddress &own_mac) {
    const libnet::Context context = libnet::new_context();
    if (question.target.is_v4())
        put_arp(context.get(), question, cluster_mac, own_mac);
    else
        put_advertisement(context.get(), question, cluster_mac, own_mac);
    return libnet::built(context.get());
}

std::vector<std::uint8_t> build_announcement(const IpAddress &virtual_ip,
                                             const MacAddress &cluster_mac,
                                             const MacAddress &own_mac) {
    const libnet::Context context = libnet::new_context();
    if (virtual_ip.is_v4())
        put_request(context.get(), virtual_ip, virtual_ip, cluster_mac, own_mac);
    else
        put_advertisement(context.get(), {virtual_ip, {virtual_ip.family, {}}, {}, {}}, cluster_mac, own_mac);
    return libnet::built(context.get());
}

std::vector<std::uint8_t> build_question(const IpAddress &target, const IpAddress &from,
                                         const MacAddress &own_mac) {
    const libnet::Context context = libnet::new_context();
    if (target.is_v4())
        put_request(context.get(), target, from, own_mac, own_mac);
    else
        put_solicitation(context.get(), target, from, own_mac);
    return libnet::built(context.get());
}

} // namespace agent
