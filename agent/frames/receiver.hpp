// SPDX-License-Identifier: Apache-2.0
//
// The frames that ask about a virtual IP, and those in which the witness answers, captured with
// libpcap. The kernel's packet filter picks them out, so that nothing else wakes the agent up. What
// it picks may still be malformed.
#pragma once

#include "filter/address.hpp"
#include "filter/pcap/ring.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace agent {

// The capture filter: ARP requests and neighbour solicitations for exactly these addresses. Frames
// with a VLAN tag as well: the kernel has taken the tag out when the filter runs, and libpcap puts
// it back afterwards.
std::string capture_filter(const std::vector<filter::IpAddress> &virtual_ips);

// ARP replies and neighbour advertisements of exactly this address.
std::string answer_filter(const filter::IpAddress &address);

class NeighbourCapture {
  public:
    // Throws std::runtime_error, but for an interface that is down or not there: then is_open() is
    // false.
    NeighbourCapture(const std::string &interface, const std::string &filter);

    bool is_open() const { return ring_.is_open(); }
    int descriptor() const { return ring_.descriptor(); } // for poll; -1 when not open
    // The next frame that waits, valid until the next call; empty when there is none. Never blocks.
    // When the interface goes down or away the capture ends: is_open() is false from then on.
    std::span<const std::uint8_t> next();

  private:
    filter::Ring ring_;
};

} // namespace agent
