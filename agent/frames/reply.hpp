// SPDX-License-Identifier: Apache-2.0
//
// What a node says about neighbours, built with libnet: the answer "this virtual IP is at
// the cluster MAC", and its own question to the witness. The cluster MAC stands in the answer's
// message alone. The frame's source is the interface's own MAC, always: a switch that
// saw the cluster MAC as a source would learn it, and from then on send all clients' frames to that
// one port.
#pragma once

#include "agent/frames/message.hpp"

#include <cstdint>
#include <vector>

namespace agent {

// An ARP reply, or a neighbour advertisement by RFC 4861 section 7.2.4: to the asker, solicited; to
// a probe for duplicates, unsolicited and to all nodes. Both with the override flag: the answer is
// the same from every node.
std::vector<std::uint8_t> build_reply(const Solicitation &question,
                                      const filter::MacAddress &cluster_mac,
                                      const filter::MacAddress &own_mac);

// Tells all hosts, unasked, that the virtual IP is at the cluster MAC. An ARP announcement (RFC 5227,
// section 3), or an unsolicited neighbour advertisement (RFC 4861, section 7.2.6).
std::vector<std::uint8_t> build_announcement(const filter::IpAddress &virtual_ip,
                                             const filter::MacAddress &cluster_mac,
                                             const filter::MacAddress &own_mac);

// An ARP request or a neighbour solicitation for the target, to all hosts that may have it. from: an
// address of this interface, or an unspecified one of the target's family, for a probe (RFC 5227;
// RFC 4861 section 7.2.2), from which no host learns an address.
std::vector<std::uint8_t> build_question(const filter::IpAddress &target,
                                         const filter::IpAddress &from,
                                         const filter::MacAddress &own_mac);

} // namespace agent
