// SPDX-License-Identifier: Apache-2.0
// The host's IP addresses, through netlink.
#pragma once

#include "agent/host/netlink.hpp"
#include "filter/address.hpp"

#include <string>
#include <vector>

namespace agent {

struct HostAddress {
    int index = 0; // the device's
    filter::IpAddress address;
};

class HostAddresses {
  public:
    HostAddresses() : socket_(open_netlink()) {} // throws std::runtime_error

    std::vector<HostAddress> list() const; // throws std::runtime_error
    // With full prefix length, host scope, never preferred as a source. All three return nothing
    // when all is well (an address that is there, or that is gone, already included), else the
    // cause.
    std::string add(const HostAddress &address) const;
    // An IPv4 group: as long as the address is there, the kernel is a member of it.
    std::string add_group(const HostAddress &group) const;
    std::string remove(const HostAddress &address) const;

  private:
    Netlink<nl_sock> socket_;
};

} // namespace agent
