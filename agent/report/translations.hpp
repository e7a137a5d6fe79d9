// SPDX-License-Identifier: Apache-2.0
//
// Services behind the host's own NAT: a container's published port, a redirect. Such a service has
// no socket under the virtual IP, and sockets are how a node knows its connections (see the guide's
// page of limits).
#pragma once

#include "agent/config/config.hpp"

#include <string>
#include <vector>

namespace agent {

struct Translation {
    std::string rule; // of the configuration
    std::string line; // of the rule set
    bool operator==(const Translation &) const = default;
};

// ruleset: text as `nft list ruleset` prints it, those of iptables-nft included. A line that
// translates destinations is compared by its ports and its destination address, where it names
// them; its other conditions are not looked at.
std::vector<Translation> find_translations(const std::string &ruleset, const Config &config);

} // namespace agent
