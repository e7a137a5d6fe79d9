// SPDX-License-Identifier: Apache-2.0
#include "agent/host/netlink.hpp"

#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/neighbour.h>

#include <algorithm>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

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

Netlink<rtnl_link> link_of(nl_sock *socket, int index) {
    rtnl_link *raw = nullptr;
    const int error = rtnl_link_get_kernel(socket, index, nullptr, &raw);
    if (error < 0 && error != -NLE_NODEV && error != -NLE_OBJ_NOTFOUND)
        throw std::runtime_error(std::string("look at an interface: ") + nl_geterror(error));
    return Netlink<rtnl_link>(raw);
}

std::string unless(int harmless, int error) {
    return error >= 0 || error == -harmless ? "" : nl_geterror(error);
}

} // namespace

void ReleaseNetlink::operator()(nl_sock *socket) const { nl_socket_free(socket); }
void ReleaseNetlink::operator()(nl_addr *address) const { nl_addr_put(address); }
void ReleaseNetlink::operator()(nl_cache *cache) const { nl_cache_free(cache); }
void ReleaseNetlink::operator()(rtnl_addr *address) const { rtnl_addr_put(address); }
void ReleaseNetlink::operator()(rtnl_link *link) const { rtnl_link_put(link); }
void ReleaseNetlink::operator()(rtnl_neigh *neighbour) const { rtnl_neigh_put(neighbour); }

Netlink<nl_sock> open_netlink() {
    Netlink<nl_sock> socket(nl_socket_alloc());
    if (!socket) throw std::bad_alloc();
    if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0)
        throw std::runtime_error(std::string("open netlink: ") + nl_geterror(error));
    return socket;
}

void set_dormant(int index) {
    const auto socket = open_netlink();
    const Netlink<rtnl_link> which(rtnl_link_alloc()), change(rtnl_link_alloc());
    if (!which || !change) throw std::bad_alloc();
    rtnl_link_set_ifindex(which.get(), index);
    rtnl_link_set_operstate(change.get(), IF_OPER_DORMANT);
    if (const int error = rtnl_link_change(socket.get(), which.get(), change.get(), 0); error < 0)
        throw std::runtime_error(std::string("change an interface: ") + nl_geterror(error));
}

bool is_bridge(int index) {
    const auto socket = open_netlink();
    const auto link = link_of(socket.get(), index);
    const char *type = link ? rtnl_link_get_type(link.get()) : nullptr;
    return type != nullptr && type == std::string_view("bridge");
}

std::string master_of(int index) {
    const auto socket = open_netlink();
    const auto port = link_of(socket.get(), index);
    const int above = port ? rtnl_link_get_master(port.get()) : 0;
    const auto master = above != 0 ? link_of(socket.get(), above) : nullptr;
    if (!master) return {};
    const char *type = rtnl_link_get_type(master.get());
    return type != nullptr && type == std::string_view("vrf") ? "" : rtnl_link_get_name(master.get());
}

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
        address.length = static_cast<unsigned>(rtnl_addr_get_prefixlen(entry));
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

// A device that takes none has none.
std::string HostMacs::remove(int index, const filter::MacAddress &mac) const {
    const int error = rtnl_neigh_delete(socket_.get(), to_netlink(index, mac).get(), 0);
    return error == -NLE_OPNOTSUPP ? "" : unless(NLE_OBJ_NOTFOUND, error);
}

} // namespace agent
