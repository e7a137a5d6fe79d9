// SPDX-License-Identifier: Apache-2.0
// A frame of a flow, as the network would bring it: what `nlbctl explain` shows to the
// filter.
#pragma once

#include "agent/base/endpoint.hpp"
#include "agent/config/config.hpp"

#include <vector>

namespace agent {

enum class TcpFlags { syn, ack }; // opens a connection; belongs to an open one

// A TCP segment or an empty datagram to the cluster MAC. Both addresses are of one family.
// It has no checksums: the filter does not look at them.
std::vector<std::uint8_t> probe_frame(Protocol transport, const Endpoint &from, const Endpoint &to,
                                      const filter::MacAddress &cluster_mac,
                                      TcpFlags flags = TcpFlags::syn);

} // namespace agent
