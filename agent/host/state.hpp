// SPDX-License-Identifier: Apache-2.0
//
// The verbs on the host: does a change stand, make it, undo it. Knows nothing of records or of what
// is wished.
#pragma once

#include "agent/host/netlink.hpp"
#include "agent/host/record.hpp"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace agent {

// Addresses and groups of all kinds, as the kernel lists them behind its lock of all interfaces (RTNL), which others can
// hold for long.
struct HostSeen {
    std::vector<HostAddress> addresses;
    std::set<std::pair<int, std::string>> groups; // device index and MAC
    std::set<std::pair<int, filter::MacAddress>> macs;
};
HostSeen look_at_host(); // for any thread; throws std::runtime_error

class HostState {
  public:
    // in_place() and holders() answer from this.
    void set_seen(HostSeen seen) { seen_ = std::move(seen); }
    bool in_place(const HostChange &change) const;
    struct Holder {
        std::string device;
        unsigned length; // of the prefix
    };
    std::vector<Holder> holders(const filter::IpAddress &address) const; // the devices that have it

    // Both throw std::runtime_error, "verb object: cause". A change that is made already, or that
    // has been undone by others, is not an error; a sysctl that others have set since is left to them.
    void make(const HostChange &change);
    void undo(const HostChange &change);

    static bool has_ipv6(const std::string &device); // also when it is disabled there
    static int read_sysctl(const std::string &device, const std::string &name); // throws
    static void write_sysctl(const std::string &device, const std::string &name, int value); // throws

  private:
    bool has_address(const HostChange &change) const;

    HostAddresses addresses_;
    HostMacs macs_;
    HostSeen seen_;
};

} // namespace agent
