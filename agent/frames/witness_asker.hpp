// SPDX-License-Identifier: Apache-2.0
//
// With which address a node asks its witness. Whoever is asked remembers the asker's address and
// MAC: so never with a virtual IP, which would then be at one node's MAC for the gateway.
#pragma once

#include "filter/address.hpp"

#include <string>
#include <vector>

namespace agent {

struct OwnAddress {
    filter::IpAddress address;
    unsigned prefix = 0; // length in bits
};

std::vector<OwnAddress> own_addresses(const std::string &interface); // none when that fails

// The first of these that the target can answer directly, because they share a prefix or it is
// link-local; else the unspecified one of the target's family, for a probe.
filter::IpAddress asker(const filter::IpAddress &target, const std::vector<OwnAddress> &own,
                        const std::vector<filter::IpAddress> &virtual_ips);

} // namespace agent
