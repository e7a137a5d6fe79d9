// SPDX-License-Identifier: Apache-2.0
// What a configuration wants of this host.
#pragma once

#include "filter/address.hpp"

#include <optional>
#include <string>
#include <vector>

namespace agent {

struct HostSettings {
    std::string interface; // where clients' frames arrive
    std::vector<filter::IpAddress> virtual_ips;
    std::optional<filter::MacAddress> cluster_mac{}; // nothing: frames come to the interface's own
    std::optional<filter::IpAddress>
        cluster_group{}; // igmp: the IPv4 group that the cluster MAC belongs to
    std::string home = "lo"; // the device that has the virtual IPs
    std::string entrance{}; // of accepted frames, where that is not the interface itself
};

} // namespace agent
