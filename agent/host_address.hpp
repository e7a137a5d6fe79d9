// SPDX-License-Identifier: Apache-2.0
// The host's IP addresses, through netlink.
#pragma once

#include "filter/address.hpp"

#include <memory>
#include <string>
#include <vector>

struct nl_sock;

namespace agent {

struct HostAddress {
    int index = 0; // the device's
    filter::IpAddress address;
};

class HostAddresses {
  public:
    HostAddresses(); // throws std::runtime_error

    std::vector<HostAddress> list() const; // throws std::runtime_error
    // With full prefix length, host scope, never preferred as a source. Both return nothing when
    // all is well (an address that is there, or that is gone, already included), else the cause.
    std::string add(const HostAddress &address) const;
    std::string remove(const HostAddress &address) const;

  private:
    struct Close {
        void operator()(nl_sock *socket) const;
    };
    std::unique_ptr<nl_sock, Close> socket_;
};

} // namespace agent
