// SPDX-License-Identifier: Apache-2.0
//
// Neighbour advertisements of one address, heard by an ICMPv6 socket: a packet socket for IPv6 would be on
// the way of every packet. The kernel's filters let nothing else through.
#pragma once

#include "filter/address.hpp"
#include "filter/descriptor.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace agent {

class Advertisements {
  public:
    // On the interface that has the name now. Throws std::runtime_error.
    Advertisements(const std::string &interface, const filter::IpAddress &of);

    int descriptor() const { return socket_.get(); }
    // The next one that waits, as an Ethernet frame of which the MAC addresses are not known (zero), valid until the
    // next call; empty when there is none. Never blocks.
    std::span<const std::uint8_t> next();

  private:
    filter::Descriptor socket_;
    std::vector<std::uint8_t> frame_;
};

} // namespace agent
