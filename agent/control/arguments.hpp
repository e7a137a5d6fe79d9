// SPDX-License-Identifier: Apache-2.0
// What may stand behind a command. All of them throw Failed, or Denied when it names nothing.
#pragma once

#include "agent/config/config.hpp"
#include "agent/control/commands.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agent {

inline constexpr std::int64_t kLongestDrain = 7 * 24 * 3600; // seconds

std::int64_t parse_seconds(const std::string &text); // 0 to kLongestDrain

// RULE, a name; or VIP:PORT, as NLB has it: the rule of this virtual IP alone that covers the port,
// or both when TCP and UDP have one each. A rule that other virtual IPs share has one table for all
// of them and cannot be taken out of service for one: that is refused.
std::vector<std::size_t> find_rules(const Commands::Arguments &args, const Config &config);

// One of 0 to 100; "default": nothing, the configured one.
std::optional<std::uint8_t> parse_weight(const Commands::Arguments &args);

} // namespace agent
