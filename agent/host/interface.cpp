// SPDX-License-Identifier: Apache-2.0
#include "agent/host/interface.hpp"

#include "agent/base/failure.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace agent {
namespace {

class QuerySocket {
  public:
    QuerySocket() {
        if (!socket_) fail("open socket");
    }
    bool ask(unsigned long what, ifreq &request) const {
        return ioctl(socket_.get(), what, &request) == 0;
    }

  private:
    filter::Descriptor socket_{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

} // namespace

std::optional<HostInterface> find_interface(const std::string &name) {
    ifreq request{};
    if (name.empty() || name.size() >= sizeof request.ifr_name) return std::nullopt;
    name.copy(request.ifr_name, sizeof request.ifr_name - 1);
    QuerySocket query;
    HostInterface found;
    if (!query.ask(SIOCGIFINDEX, request)) return std::nullopt;
    found.index = request.ifr_ifindex;
    if (!query.ask(SIOCGIFFLAGS, request)) return std::nullopt;
    found.up = (request.ifr_flags & IFF_UP) != 0;
    found.running = found.up && (request.ifr_flags & IFF_RUNNING) != 0;
    if (!query.ask(SIOCGIFHWADDR, request)) return std::nullopt;
    found.ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
    std::memcpy(found.mac.data(), request.ifr_hwaddr.sa_data, found.mac.size());
    return found;
}

HostInterface require_interface(const std::string &name) {
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

LinkWatch::LinkWatch()
    : socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_TC | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (bind(socket_.get(), reinterpret_cast<sockaddr *>(&address), sizeof address) != 0)
        fail("watch interfaces");
}

bool LinkWatch::drain() {
    std::array<char, 256>
        start; // the rest of a notice is cut off: that there was one is all that matters
    bool changed = false;
    while (recv(socket_.get(), start.data(), start.size(), MSG_TRUNC) >= 0 || errno == ENOBUFS ||
           errno == EINTR)
        changed = true;
    return changed;
}

} // namespace agent
