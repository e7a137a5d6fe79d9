// SPDX-License-Identifier: Apache-2.0
#include "filter/interface.hpp"

#include "filter/descriptor.hpp"
#include "filter/failure.hpp"

#include <cerrno>
#include <cstring>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace filter {

namespace {

// Questions about one interface; none of them has an answer when the name is empty or too long for one.
class Query {
  public:
    explicit Query(const std::string &name) {
        if (!socket_) fail("open socket", errno);
        if (name.size() < sizeof request.ifr_name)
            name.copy(request.ifr_name, sizeof request.ifr_name - 1);
    }
    // For a name that no interface has, also for none at all, the kernel runs modprobe and waits for it.
    bool ask(unsigned long what) {
        return request.ifr_name[0] != '\0' && ioctl(socket_.get(), what, &request) == 0;
    }

    ifreq request{}; // the last answer

  private:
    Descriptor socket_{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

} // namespace

std::optional<Interface> find_interface(const std::string &name) {
    Query query(name);
    Interface found;
    found.name = name;
    if (!query.ask(SIOCGIFINDEX)) return std::nullopt;
    found.index = query.request.ifr_ifindex;
    if (!query.ask(SIOCGIFFLAGS)) return std::nullopt;
    found.up = (query.request.ifr_flags & IFF_UP) != 0;
    found.running = found.up && (query.request.ifr_flags & IFF_RUNNING) != 0;
    if (!query.ask(SIOCGIFHWADDR)) return std::nullopt;
    found.ethernet = query.request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
    std::memcpy(found.mac.data(), query.request.ifr_hwaddr.sa_data, found.mac.size());
    return found;
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
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    Query query(name);
    query.request.ifr_data = reinterpret_cast<char *>(&info);
    if (!query.ask(SIOCETHTOOL)) return {};
    return {info.driver, strnlen(info.driver, sizeof info.driver)};
}

std::size_t mtu_of(const std::string &name) {
    Query query(name);
    const bool known = query.ask(SIOCGIFMTU) && query.request.ifr_mtu > 0;
    return known ? static_cast<std::size_t>(query.request.ifr_mtu) : 1500;
}

} // namespace filter
