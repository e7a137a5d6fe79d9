// SPDX-License-Identifier: Apache-2.0
#include "agent/host/address.hpp"

#include <algorithm>
#include <linux/if_addr.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <new>
#include <stdexcept>

namespace agent {
namespace {

Netlink<rtnl_addr> to_netlink(const HostAddress &address) {
    const bool v4 = address.address.is_v4();
    const Netlink<nl_addr> local(
        nl_addr_build(v4 ? AF_INET : AF_INET6, address.address.bytes.data(), v4 ? 4 : 16));
    Netlink<rtnl_addr> request(rtnl_addr_alloc());
    if (!local || !request) throw std::bad_alloc();
    rtnl_addr_set_ifindex(request.get(), address.index);
    if (rtnl_addr_set_local(request.get(), local.get()) < 0) throw std::bad_alloc();
    return request;
}

std::string added(int error) { return error >= 0 || error == -NLE_EXIST ? "" : nl_geterror(error); }

} // namespace

std::vector<HostAddress> HostAddresses::list() const {
    nl_cache *raw = nullptr;
    if (const int error = rtnl_addr_alloc_cache(socket_.get(), &raw); error < 0)
        throw std::runtime_error(std::string("list addresses: ") + nl_geterror(error));
    const Netlink<nl_cache> cache(raw);
    std::vector<HostAddress> all;
    for (auto *object = nl_cache_get_first(raw); object != nullptr;
         object = nl_cache_get_next(object)) {
        auto *entry = reinterpret_cast<rtnl_addr *>(object);
        const auto *local = rtnl_addr_get_local(entry);
        const bool v4 = rtnl_addr_get_family(entry) == AF_INET;
        if (local == nullptr || nl_addr_get_len(local) != (v4 ? 4U : 16U)) continue;
        HostAddress address;
        address.index = rtnl_addr_get_ifindex(entry);
        address.address.family = v4 ? filter::IpAddress::Family::v4 : filter::IpAddress::Family::v6;
        const auto *bytes = static_cast<const std::uint8_t *>(nl_addr_get_binary_addr(local));
        std::copy_n(bytes, nl_addr_get_len(local), address.address.bytes.begin());
        all.push_back(address);
    }
    return all;
}

std::string HostAddresses::add(const HostAddress &address) const {
    const auto request = to_netlink(address);
    if (address.address.is_v4()) {
        rtnl_addr_set_scope(request.get(), RT_SCOPE_HOST);
    } else {
        rtnl_addr_set_flags(request.get(), IFA_F_NODAD);
        rtnl_addr_set_valid_lifetime(request.get(), 0xffffffffU);
        rtnl_addr_set_preferred_lifetime(request.get(),
                                         0); // deprecated from the start: never a source
    }
    return added(rtnl_addr_add(socket_.get(), request.get(), 0));
}

std::string HostAddresses::add_group(const HostAddress &group) const {
    const auto request = to_netlink(group);
    rtnl_addr_set_scope(request.get(), RT_SCOPE_HOST);
    rtnl_addr_set_flags(request.get(), IFA_F_MCAUTOJOIN);
    return added(rtnl_addr_add(socket_.get(), request.get(), 0));
}

std::string HostAddresses::remove(const HostAddress &address) const {
    const int error = rtnl_addr_delete(socket_.get(), to_netlink(address).get(), 0);
    return error >= 0 || error == -NLE_NOADDR || error == -NLE_NODEV ? "" : nl_geterror(error);
}

} // namespace agent
