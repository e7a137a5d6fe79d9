// SPDX-License-Identifier: Apache-2.0
// The configuration and the orders that hold over it, translated into what each of the other
// folders needs to know of them.
#pragma once

#include "agent/config/config.hpp"
#include "agent/orders/orders.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/codec.hpp"
#include "heartbeat/membership.hpp"
#include "heartbeat/ownership.hpp"
#include "heartbeat/transport.hpp"

#include <string>
#include <vector>

namespace agent {

// key: the one in use.
filter::Settings filter_settings(const Config &config, const ClusterKey &key,
                                 const Orders &orders = {});
heartbeat::Envelope beat_envelope(const Config &config, const ClusterKeys &keys);
heartbeat::Transport::Settings beat_sockets(const Config &config, const ClusterKeys &keys);
heartbeat::Transport::Addresses beat_addresses(const Config &config, const NodeConfig &self);
filter::XdpMode xdp_mode(DatapathKind kind);
heartbeat::Settings membership_settings(const Config &config, const NodeConfig &self,
                                        const ClusterKeys &keys, const Orders &orders = {});
// The rules that a node is willing to serve: configured for it, and not out of service by order.
heartbeat::RuleBits eligible_rules(const Config &config, const NodeConfig &self,
                                   const Orders &orders);
std::vector<heartbeat::RuleOwnership> ownership_rules(const Config &config);
// The virtual IPs if frames to each arrive at one node (delivery forward); otherwise none.
std::vector<heartbeat::Received> received(const Config &config);

// The node's own names for interfaces override the cluster's.
std::string clients_interface(const Config &config, const NodeConfig &self);
std::vector<std::string> heartbeat_interfaces(const Config &config, const NodeConfig &self);

} // namespace agent
