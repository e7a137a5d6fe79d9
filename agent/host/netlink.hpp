// SPDX-License-Identifier: Apache-2.0
// A socket to the kernel's routing netlink, and the objects of libnl that go over it, each with its
// owner.
#pragma once

#include "filter/address.hpp"

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

struct nl_addr;
struct nl_cache;
struct nl_sock;
struct rtnl_addr;
struct rtnl_link;
struct rtnl_neigh;

namespace agent {

struct ReleaseNetlink {
    void operator()(nl_sock *socket) const;
    void operator()(nl_addr *address) const;
    void operator()(nl_cache *cache) const;
    void operator()(rtnl_addr *address) const;
    void operator()(rtnl_link *link) const;
    void operator()(rtnl_neigh *neighbour) const;
};
template <class T>
using Netlink = std::unique_ptr<T, ReleaseNetlink>;

Netlink<nl_sock> open_netlink(); // throws std::runtime_error

// The bridge, bond or team that this device is a port of, and that takes its frames; a VRF leaves them to it.
// Empty: there is none, or no such device. Throws std::runtime_error.
std::string master_of(int index);
void set_dormant(int index); // an interface of which the kernel does not know yet whether it has a carrier: not running; throws
bool is_bridge(int index); // throws std::runtime_error

// The host's IP addresses, through netlink.
struct HostAddress {
    int index = 0; // the device's
    filter::IpAddress address;
    unsigned length = 0; // of its prefix, as listed
};

class HostAddresses {
  public:
    HostAddresses() : socket_(open_netlink()) {} // throws std::runtime_error

    std::vector<HostAddress> list() const; // throws std::runtime_error
    // With full prefix length, host scope, never preferred as a source. All three return nothing
    // on success (an address that is there, or that is gone, already included), otherwise the
    // cause.
    std::string add(const HostAddress &address) const;
    // An IPv4 group: as long as the address is there, the kernel is a member of it.
    std::string add_group(const HostAddress &group) const;
    std::string remove(const HostAddress &address) const;

  private:
    Netlink<nl_sock> socket_;
};

// Unicast MAC addresses that an interface accepts beside its own, through netlink. They stay until
// they are removed, even if the process ends; frames that the interface sends still have its own
// address. `bridge fdb show dev eth0 self` lists them.
class HostMacs {
  public:
    HostMacs() : socket_(open_netlink()) {} // throws std::runtime_error

    // Device index and address. Throws std::runtime_error.
    std::set<std::pair<int, filter::MacAddress>> list() const;
    // Both return nothing on success (an address that is there, or that is gone, already
    // included), otherwise the cause.
    std::string add(int index, const filter::MacAddress &mac) const;
    std::string remove(int index, const filter::MacAddress &mac) const;

  private:
    Netlink<nl_sock> socket_;
};

} // namespace agent
