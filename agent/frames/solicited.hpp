// SPDX-License-Identifier: Apache-2.0
//
// Membership in the groups on which IPv6 neighbours ask about the virtual IPs (ff02::1:ffXX:XXXX).
// The kernel joins them for addresses of the interface itself, not for those on lo.
//
// This membership is a socket's, and ends with the process: without the agent no process would
// answer. (An address with the autojoin flag would outlive the process, but when the interface is
// taken down the kernel drops the address, keeps the membership, and from then on can neither join
// nor leave the group.)
#pragma once

#include "filter/address.hpp"
#include "filter/descriptor.hpp"

#include <string>
#include <vector>

namespace agent {

// On which neighbours ask about the address: ff02::1:ff and its last three bytes.
filter::IpAddress solicited_node_group(const filter::IpAddress &address);

class SolicitedNodeGroups {
  public:
    // Joins on the interface that has the name now. Throws std::runtime_error.
    SolicitedNodeGroups(const std::string &interface,
                        const std::vector<filter::IpAddress> &virtual_ips);

  private:
    filter::Descriptor socket_; // none: no group is needed
};

} // namespace agent
