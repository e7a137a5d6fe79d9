// SPDX-License-Identifier: Apache-2.0
#include "agent/host/mac.hpp"

#include <algorithm>
#include <linux/neighbour.h>
#include <netlink/netlink.h>
#include <netlink/route/neighbour.h>
#include <new>
#include <stdexcept>

namespace agent {
namespace {

// The kernel keeps them where a bridge keeps its forwarding table: entries of the device itself.
Netlink<rtnl_neigh> to_netlink(int index, const filter::MacAddress &mac) {
    const Netlink<nl_addr> address(nl_addr_build(AF_LLC, mac.data(), mac.size()));
    Netlink<rtnl_neigh> request(rtnl_neigh_alloc());
    if (!address || !request) throw std::bad_alloc();
    rtnl_neigh_set_family(request.get(), AF_BRIDGE);
    rtnl_neigh_set_ifindex(request.get(), index);
    rtnl_neigh_set_lladdr(request.get(), address.get());
    rtnl_neigh_set_state(request.get(), NUD_PERMANENT);
    rtnl_neigh_set_flags(request.get(), NTF_SELF);
    return request;
}

std::string unless(int harmless, int error) {
    return error >= 0 || error == -harmless ? "" : nl_geterror(error);
}

} // namespace

std::set<std::pair<int, filter::MacAddress>> HostMacs::list() const {
    nl_cache *raw = nullptr;
    int error = nl_cache_alloc_name("route/neigh", &raw);
    const Netlink<nl_cache> cache(raw);
    if (error >= 0) {
        nl_cache_set_arg1(raw, AF_BRIDGE);
        error = nl_cache_refill(socket_.get(), raw);
    }
    if (error < 0)
        throw std::runtime_error(std::string("list MAC addresses: ") + nl_geterror(error));
    std::set<std::pair<int, filter::MacAddress>> all;
    for (auto *object = nl_cache_get_first(raw); object != nullptr;
         object = nl_cache_get_next(object)) {
        auto *entry = reinterpret_cast<rtnl_neigh *>(object);
        const auto *address = rtnl_neigh_get_lladdr(entry);
        filter::MacAddress mac{};
        if ((rtnl_neigh_get_flags(entry) & NTF_SELF) == 0 || address == nullptr ||
            nl_addr_get_len(address) != mac.size())
            continue;
        std::copy_n(static_cast<const std::uint8_t *>(nl_addr_get_binary_addr(address)), mac.size(),
                    mac.begin());
        all.emplace(rtnl_neigh_get_ifindex(entry), mac);
    }
    return all;
}

std::string HostMacs::add(int index, const filter::MacAddress &mac) const {
    return unless(NLE_EXIST, rtnl_neigh_add(socket_.get(), to_netlink(index, mac).get(),
                                            NLM_F_CREATE | NLM_F_EXCL));
}

std::string HostMacs::remove(int index, const filter::MacAddress &mac) const {
    return unless(NLE_OBJ_NOTFOUND,
                  rtnl_neigh_delete(socket_.get(), to_netlink(index, mac).get(), 0));
}

} // namespace agent
