// SPDX-License-Identifier: Apache-2.0
#include "agent/host/netlink.hpp"

#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/neighbour.h>
#include <new>
#include <stdexcept>
#include <string>

namespace agent {

void ReleaseNetlink::operator()(nl_sock *socket) const { nl_socket_free(socket); }
void ReleaseNetlink::operator()(nl_addr *address) const { nl_addr_put(address); }
void ReleaseNetlink::operator()(nl_cache *cache) const { nl_cache_free(cache); }
void ReleaseNetlink::operator()(rtnl_addr *address) const { rtnl_addr_put(address); }
void ReleaseNetlink::operator()(rtnl_neigh *neighbour) const { rtnl_neigh_put(neighbour); }

Netlink<nl_sock> open_netlink() {
    Netlink<nl_sock> socket(nl_socket_alloc());
    if (!socket) throw std::bad_alloc();
    if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0)
        throw std::runtime_error(std::string("open netlink: ") + nl_geterror(error));
    return socket;
}

} // namespace agent
