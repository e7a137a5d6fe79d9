// SPDX-License-Identifier: Apache-2.0
//
// What a client is told whose new connection nobody serves: a TCP reset (RFC 9293,
// section 3.10.7.1), or "port unreachable" for a datagram (RFC 792, RFC 4443 section 3.1).
#pragma once

#include "filter/address.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace agent {

// refused: what a SYN or a datagram began with, as it came. The answer goes back to where the frame
// came from, by the same VLAN. Nothing for what must not be answered: from a group, from nowhere,
// or no new connection at all.
std::optional<std::vector<std::uint8_t>> build_refusal(std::span<const std::uint8_t> refused,
                                                       const filter::MacAddress &own_mac);

} // namespace agent
