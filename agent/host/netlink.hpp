// SPDX-License-Identifier: Apache-2.0
// A socket to the kernel's routing netlink, and the objects of libnl that go over it, each with its
// owner.
#pragma once

#include <memory>

struct nl_addr;
struct nl_cache;
struct nl_sock;
struct rtnl_addr;
struct rtnl_neigh;

namespace agent {

struct ReleaseNetlink {
    void operator()(nl_sock *socket) const;
    void operator()(nl_addr *address) const;
    void operator()(nl_cache *cache) const;
    void operator()(rtnl_addr *address) const;
    void operator()(rtnl_neigh *neighbour) const;
};
template <class T>
using Netlink = std::unique_ptr<T, ReleaseNetlink>;

Netlink<nl_sock> open_netlink(); // throws std::runtime_error

} // namespace agent
