// SPDX-License-Identifier: Apache-2.0
//
// A ping whose answer shows what another machine holds about an address of this host: an echo
// request (RFC 792) from a virtual IP is answered to the MAC address at which the other side has
// that virtual IP. The kernel sends it, so it asks for the other's MAC address with this node's own
// address, as for any packet of a service.
#pragma once

#include "filter/address.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace agent {

// IPv4 only, TTL 1, never blocks. from: an address of this host; nothing: the one that the kernel
// chooses. False: it was not sent.
bool send_echo(const std::string &interface, const filter::IpAddress &to,
               const std::optional<filter::IpAddress> &from, std::uint16_t id);

} // namespace agent
