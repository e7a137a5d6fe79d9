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

// A socket bound to the interface of a name. So it is looked for without waiting: netlink answers behind the lock of all
// interfaces (RTNL), which a driver or another process can hold for seconds; and asked by ioctl for a name that no interface
// has, the kernel runs modprobe.
class Bound {
  public:
    // 0 when there is none. Throws when the kernel does not tell.
    explicit Bound(const std::string &name) : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        if (!socket_) fail("look at interface " + name, errno);
        if (name.empty() || name.size() >= IFNAMSIZ) return;
        name.copy(request_.ifr_name, IFNAMSIZ - 1);
        socklen_t size = sizeof index_;
        if (setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTODEVICE, name.c_str(), static_cast<socklen_t>(name.size())) != 0) {
            if (errno != ENODEV) fail("look at interface " + name, errno);
        } else if (getsockopt(socket_.get(), SOL_SOCKET, SO_BINDTOIFINDEX, &index_, &size) != 0) {
            fail("look at interface " + name, errno);
        }
    }

    int index() const { return index_; }
    // Nothing when the interface has gone meanwhile.
    std::optional<ifreq> ask(unsigned long what) const {
        ifreq answer = request_;
        return ask(what, answer) ? std::optional(answer) : std::nullopt;
    }
    bool ask(unsigned long what, ifreq &answer) const {
        std::memcpy(answer.ifr_name, request_.ifr_name, IFNAMSIZ);
        return index_ != 0 && ioctl(socket_.get(), what, &answer) == 0;
    }

  private:
    Descriptor socket_;
    ifreq request_{};
    int index_ = 0;
};

} // namespace

std::optional<Interface> find_interface(const std::string &name) {
    const Bound bound(name);
    const auto flags = bound.ask(SIOCGIFFLAGS), address = bound.ask(SIOCGIFHWADDR);
    if (!flags || !address) return std::nullopt;
    Interface found;
    found.name = name;
    found.index = bound.index();
    found.up = (flags->ifr_flags & IFF_UP) != 0;
    found.running = found.up && (flags->ifr_flags & IFF_RUNNING) != 0;
    found.ethernet = address->ifr_hwaddr.sa_family == ARPHRD_ETHER;
    if (found.ethernet) std::memcpy(found.mac.data(), address->ifr_hwaddr.sa_data, found.mac.size());
    return found;
}

int index_of(const std::string &name) {
    try {
        return Bound(name).index();
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
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    ifreq request{};
    request.ifr_data = reinterpret_cast<char *>(&info);
    if (!Bound(name).ask(SIOCETHTOOL, request)) return {};
    return {info.driver, strnlen(info.driver, sizeof info.driver)};
}

std::size_t mtu_of(const std::string &name) {
    const auto answer = Bound(name).ask(SIOCGIFMTU);
    return answer && answer->ifr_mtu > 0 ? static_cast<std::size_t>(answer->ifr_mtu) : 1500;
}

bool takes_tags_off(const std::string &name) {
    ethtool_value flags{ETHTOOL_GFLAGS, 0};
    ifreq request{};
    request.ifr_data = reinterpret_cast<char *>(&flags);
    return Bound(name).ask(SIOCETHTOOL, request) && (flags.data & ETH_FLAG_RXVLAN) != 0;
}

} // namespace filter
