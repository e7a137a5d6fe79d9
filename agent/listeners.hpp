// SPDX-License-Identifier: Apache-2.0
//
// Who listens on this host, as the kernel says (inet_diag): is a rule's service there? Listeners are
// few, and a table of their own, so that one look takes some ten microseconds however many
// connections there are.
#pragma once

#include "agent/config.hpp"
#include "agent/sockets.hpp"
#include "filter/datapath.hpp"

#include <optional>
#include <span>
#include <vector>

namespace agent {

struct Listener {
    filter::IpAddress address; // all zero: every address of its family, and as `::` of both ...
    std::uint16_t port = 0;
    bool v6_only = false; // ... unless this
    int interface = 0;    // of this one alone; 0: of all
    bool operator==(const Listener &) const = default;
};

// As parse_sockets.
Dump parse_listeners(std::span<const std::uint8_t> datagram, std::uint32_t request,
                     std::vector<Listener> &found);

// Those on TCP ports of this network namespace. Throws, "verb object: cause".
std::vector<Listener> list_listeners();

// A port of the rule on one of its virtual IPs at which one of these listens to what comes in on the
// interface; nothing, when none does.
std::optional<filter::Service> find_service(const std::vector<Listener> &listeners,
                                            const RuleConfig &rule,
                                            const std::vector<filter::IpAddress> &virtual_ips,
                                            int interface);

} // namespace agent
