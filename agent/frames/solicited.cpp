// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/solicited.hpp"

#include "agent/base/failure.hpp"

#include <algorithm>
#include <cstring>
#include <net/if.h>
#include <netinet/in.h>
#include <set>
#include <sys/socket.h>

namespace agent {

filter::IpAddress solicited_node_group(const filter::IpAddress &address) {
    filter::IpAddress group{filter::IpAddress::Family::v6,
                            {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
    std::copy(address.bytes.begin() + 13, address.bytes.end(), group.bytes.begin() + 13);
    return group;
}

SolicitedNodeGroups::SolicitedNodeGroups(const std::string &interface,
                                         const std::vector<filter::IpAddress> &virtual_ips) {
    std::set<filter::IpAddress> groups; // two addresses may share one
    for (const auto &address : virtual_ips)
        if (!address.is_v4()) groups.insert(solicited_node_group(address));
    if (groups.empty()) return;
    socket_ = filter::Descriptor(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    for (const auto &group : groups) {
        ipv6_mreq request{};
        std::memcpy(&request.ipv6mr_multiaddr, group.bytes.data(), group.bytes.size());
        request.ipv6mr_interface = if_nametoindex(interface.c_str());
        if (setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request) != 0)
            fail("join " + filter::to_string(group) + " on " + interface);
    }
}

} // namespace agent
