// SPDX-License-Identifier: Apache-2.0
//
// Tells snooping bridges that this node's port wants the cluster's frames.
//
// A bridge that snoops, on a network with a querier, forwards a frame with a multicast MAC to the
// members of the IP group that it is addressed to. Ours are addressed to a virtual IP, which is not
// a group, so no host is a member: Linux's bridge gives them only to the ports with a multicast
// router. Multicast Router Advertisements (RFC 4286) make the node's port one, for IPv4 and
// IPv6 apart, without a setting on the bridge. The price: such a port gets all multicast of the
// network. (Switches that look at MAC addresses alone do without, and ignore these.)
//
// A bridge believes an advertisement for minutes, so the frames outlive an agent that has crashed.
#pragma once

#include "heartbeat/types.hpp"

#include <string>

namespace agent {

class MulticastRouter {
  public:
    // with_ipv6: there are IPv6 virtual IPs.
    MulticastRouter(const std::string &interface, bool with_ipv6)
        : interface_(interface), with_ipv6_(with_ipv6) {}
    ~MulticastRouter(); // withdraws the advertisement: this node is no longer a router
    // There are IPv6 virtual IPs now, or none any more: that the bridges forget by themselves.
    void set_with_ipv6(bool with_ipv6) {
        if (with_ipv6 && !with_ipv6_) next_ = {};
        with_ipv6_ = with_ipv6;
    }
    MulticastRouter(const MulticastRouter &) = delete;
    MulticastRouter &operator=(const MulticastRouter &) = delete;

    // Call about once a second; at once after a link change, because the bridge may have forgotten. An
    // interface that is down or missing is skipped. Throws std::runtime_error: try again later.
    void advertise(heartbeat::Time now, bool link_changed);

  private:
    std::string interface_;
    bool with_ipv6_;
    heartbeat::Time next_{};
};

} // namespace agent
