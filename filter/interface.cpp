// SPDX-License-Identifier: Apache-2.0
#include "filter/interface.hpp"

#include "filter/descriptor.hpp"

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

std::string driver_of(int socket, ifreq request) {
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    request.ifr_data = reinterpret_cast<char *>(&info);
    if (ioctl(socket, SIOCETHTOOL, &request) != 0) return {};
    return {info.driver, strnlen(info.driver, sizeof info.driver)};
}

} // namespace

Interface find_interface(const std::string &name) {
    ifreq request{};
    if (name.empty() || name.size() >= sizeof request.ifr_name)
        throw std::runtime_error("find interface " + name + ": not an interface's name");
    std::memcpy(request.ifr_name, name.data(), name.size());
    Descriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (ioctl(socket.get(), SIOCGIFINDEX, &request) != 0)
        throw std::runtime_error("find interface " + name + ": " + std::strerror(errno) +
                                 ": `ip link` lists those that exist");
    Interface interface;
    interface.name = name;
    interface.index = request.ifr_ifindex;
    if (ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0 ||
        request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        throw std::runtime_error(
            "use interface " + name +
            ": it has no Ethernet address: name the one where clients' frames arrive");
    std::memcpy(interface.mac.data(), request.ifr_hwaddr.sa_data, interface.mac.size());
    interface.driver = driver_of(socket.get(), request);
    return interface;
}

} // namespace filter
