// SPDX-License-Identifier: Apache-2.0
//
// The listeners of this host, as the kernel reports them (inet_diag): is a rule's service there? They are
// few, and the kernel keeps them in a table of their own, so that one look takes some ten microseconds however
// many connections there are.
#pragma once

#include "agent/config/config.hpp"
#include "agent/host/sockets.hpp"
#include "filter/datapath.hpp"

#include <optional>
#include <vector>

namespace agent {

// Those on TCP ports of this network namespace. Throws, "verb object: cause".
std::vector<Listener> list_listeners();

// A port of the rule on one of its virtual IPs at which one of these listens to what comes in on the
// interface; nothing, when none does.
std::optional<filter::Service> find_service(const std::vector<Listener> &listeners,
                                            const RuleConfig &rule,
                                            const std::vector<filter::IpAddress> &virtual_ips,
                                            int interface);

// The first of the rule's virtual IPs without a listener; nothing: each has one.
std::optional<filter::IpAddress> find_unserved(const std::vector<Listener> &listeners,
                                               const RuleConfig &rule,
                                               const std::vector<filter::IpAddress> &virtual_ips,
                                               int interface);

} // namespace agent
