// SPDX-License-Identifier: Apache-2.0
#include "agent/host/interface.hpp"

#include "agent/base/failure.hpp"

#include <array>
#include <cerrno>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace agent {

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
