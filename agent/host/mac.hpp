// SPDX-License-Identifier: Apache-2.0
//
// Unicast MAC addresses that an interface accepts beside its own, through netlink. They stay until
// they are removed, whatever becomes of the process; what the interface sends has its own address
// as before. `bridge fdb show dev eth0 self` lists them.
#pragma once

#include "agent/host/netlink.hpp"
#include "filter/address.hpp"

#include <set>
#include <string>
#include <utility>

namespace agent {

class HostMacs {
  public:
    HostMacs() : socket_(open_netlink()) {} // throws std::runtime_error

    // Device index and address. Throws std::runtime_error.
    std::set<std::pair<int, filter::MacAddress>> list() const;
    // Both return nothing when all is well (an address that is there, or that is gone, already
    // included), else the cause.
    std::string add(int index, const filter::MacAddress &mac) const;
    std::string remove(int index, const filter::MacAddress &mac) const;

  private:
    Netlink<nl_sock> socket_;
};

} // namespace agent
