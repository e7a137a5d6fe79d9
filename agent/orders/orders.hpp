// SPDX-License-Identifier: Apache-2.0
//
// What an administrator has ordered this node to be, over what the configuration says: stopped,
// drained, suspended, another weight, rules out of service. It holds until it is taken back, also
// over a restart of the agent and of the machine: who was taken out for maintenance does not come
// back in the middle of it because somebody rebooted.
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
    bool suspended = false;                 // nothing but resume is obeyed; `part` holds again then
    std::optional<std::uint8_t> weight;     // 0 to 100, instead of the configured one
    std::map<std::string, RuleOrder> rules; // by name; the others are enabled
    bool operator==(const Orders &) const = default;

    std::optional<RuleOrder> rule(const std::string &name) const;
};

// One line of JSON, and back. Throws std::runtime_error with what is wrong: nothing is guessed.
std::string to_text(const Orders &orders);
Orders parse_orders(const std::string &text);

// The rule is out of service here: by configuration, or by order.
bool is_disabled(const RuleConfig &rule, const Orders &orders);

} // namespace agent
