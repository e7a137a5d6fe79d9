// SPDX-License-Identifier: Apache-2.0
//
// The questions "who has this address?", ARP requests and IPv6 neighbour solicitations, and the
// answers to them, out of bytes that any host may have sent. One form for both protocols, because
// they differ in their wrapping alone.
#pragma once

#include "filter/address.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace agent {

struct Solicitation {
    filter::IpAddress target; // the address asked about
    filter::IpAddress asker;  // unspecified (0.0.0.0, ::) when it probes for a duplicate
    filter::MacAddress
        asker_mac; // where the answer goes, as the message itself says; never a group
    std::optional<std::uint16_t> vlan_tag; // priority and VLAN, of a frame with one tag

    bool is_probe() const { return asker.bytes == decltype(asker.bytes){}; }
    bool operator==(const Solicitation &) const = default;
};

// An Ethernet frame with at most one 802.1Q tag. Nothing when it is not a complete and valid
// question: for ARP by RFC 826 and 5227, for IPv6 by RFC 4861 section 7.1.1 (hop limit 255,
// checksum, options and all).
std::optional<Solicitation> parse_solicitation(std::span<const std::uint8_t> frame);

// A host's statement where an address is: an ARP message from it, of either kind, or a neighbour
// advertisement.
struct Claim {
    filter::IpAddress address;
    filter::MacAddress mac;
    bool operator==(const Claim &) const = default;
};

// Of a frame as above. Nothing when it says nothing of the kind: a probe, an advertisement without a MAC.
std::optional<Claim> parse_claim(std::span<const std::uint8_t> frame);

// An ARP reply or a neighbour advertisement, without a tag: the address that has answered. Nothing
// when it is not a complete and valid answer (for IPv6: RFC 4861 section 7.1.2).
std::optional<filter::IpAddress> parse_answer(std::span<const std::uint8_t> frame);

} // namespace agent
