// SPDX-License-Identifier: Apache-2.0
//
// Administrative state, which overrides the configuration: stopped, drained, suspended, another
// weight, rules out of service. It survives restarts of the agent and reboots until it is reverted,
// so a node that was taken out for maintenance does not come back because of a reboot.
#pragma once

#include "agent/config/config.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace agent {

enum class Part { serve, drain, stop }; // in the cluster
enum class RuleOrder { disabled, draining };
std::string_view to_string(Part part);
std::string_view to_string(RuleOrder order);
inline constexpr std::string_view kEnabled = "enabled"; // a rule without an order

struct Orders {
    Part part = Part::serve;
    std::optional<std::int64_t> drain_until; // seconds since 1970: stop then, whatever is left
    bool suspended = false;                 // only resume is accepted, which puts `part` in force again
    std::optional<std::uint8_t> weight;     // 0 to 100, instead of the configured one
    std::map<std::string, RuleOrder> rules; // by name; the others are enabled
    bool operator==(const Orders &) const = default;

    std::optional<RuleOrder> rule(const std::string &name) const;
};

// One line of JSON, and back. Throws std::runtime_error that says what is wrong; nothing is
// guessed.
std::string to_text(const Orders &orders);
Orders parse_orders(const std::string &text);

// Whether the rule is out of service on this node, by configuration or by order.
bool is_disabled(const RuleConfig &rule, const Orders &orders);

} // namespace agent
