// SPDX-License-Identifier: Apache-2.0
#include "filter/interface.hpp"

#include "filter/descriptor.hpp"
#include "filter/failure.hpp"

#include <cerrno>
#include <cstring>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <memory>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <new>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace filter {

namespace {

struct Release {
    void operator()(nl_sock *socket) const { nl_socket_free(socket); }
    void operator()(rtnl_link *link) const { rtnl_link_put(link); }
};
using Link = std::unique_ptr<rtnl_link, Release>;

// Through netlink: asked by ioctl for a name that no interface has, the kernel runs modprobe and waits for it, and so does
// the agent. Nothing: there is none.
Link link_of(const std::string &name) {
    if (name.empty() || name.size() >= IFNAMSIZ) return nullptr;
    const std::unique_ptr<nl_sock, Release> socket(nl_socket_alloc());
    if (!socket) throw std::bad_alloc();
    rtnl_link *found = nullptr;
    int error = nl_connect(socket.get(), NETLINK_ROUTE);
    if (error >= 0) error = rtnl_link_get_kernel(socket.get(), 0, name.c_str(), &found);
    if (error < 0 && error != -NLE_NODEV && error != -NLE_OBJ_NOTFOUND)
        throw std::runtime_error("look at interface " + name + ": " + nl_geterror(error));
    return Link(found);
}

} // namespace

std::optional<Interface> find_interface(const std::string &name) {
    const Link link = link_of(name);
    if (!link) return std::nullopt;
    Interface found;
    found.name = name;
    found.index = rtnl_link_get_ifindex(link.get());
    found.up = (rtnl_link_get_flags(link.get()) & IFF_UP) != 0;
    found.running = found.up && (rtnl_link_get_flags(link.get()) & IFF_RUNNING) != 0;
    found.ethernet = rtnl_link_get_arptype(link.get()) == ARPHRD_ETHER;
    const nl_addr *mac = rtnl_link_get_addr(link.get());
    if (mac != nullptr && nl_addr_get_len(mac) == found.mac.size())
        std::memcpy(found.mac.data(), nl_addr_get_binary_addr(mac), found.mac.size());
    return found;
}

int index_of(const std::string &name) {
    try {
        const Link link = link_of(name);
        return link ? rtnl_link_get_ifindex(link.get()) : 0;
    } catch (const std::runtime_error &) {
        return 0;
    }
}

Interface require_interface(const std::string &name) {
    const auto found = find_interface(name);
    if (found && found->ethernet) return *found;
    if (found) throw std::runtime_error("interface " + name + ": is not an Ethernet interface");
    std::string existing;
    for (const auto &other : interface_names())
        existing += (existing.empty() ? "" : ", ") + other;
    throw std::runtime_error("interface " + name + ": does not exist; existing: " +
                             (existing.empty() ? "none but lo" : existing));
}

std::vector<std::string> interface_names() {
    std::vector<std::string> names;
    auto *list = if_nameindex();
    for (auto *entry = list; entry != nullptr && entry->if_index != 0; ++entry)
        if (std::strcmp(entry->if_name, "lo") != 0) names.emplace_back(entry->if_name);
    if (list != nullptr) if_freenameindex(list);
    return names;
}

std::string driver_of(const std::string &name) {
    if (!link_of(name)) return {};
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    ifreq request{};
    name.copy(request.ifr_name, sizeof request.ifr_name - 1);
    request.ifr_data = reinterpret_cast<char *>(&info);
    const Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) fail("open socket", errno);
    if (ioctl(socket.get(), SIOCETHTOOL, &request) != 0) return {};
    return {info.driver, strnlen(info.driver, sizeof info.driver)};
}

std::size_t mtu_of(const std::string &name) {
    const Link link = link_of(name);
    const unsigned mtu = link ? rtnl_link_get_mtu(link.get()) : 0;
    return mtu > 0 ? mtu : 1500;
}

} // namespace filter
