// SPDX-License-Identifier: Apache-2.0
// What a node may be in the middle of when a packet comes: configurations, tables, hand-overs.
#pragma once

#include "filter/datapath.hpp"
#include "filter/verdict/layout.h"

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace judges {

struct Scenario {
    std::string_view name;
    filter::Settings settings;
    filter::Tables tables;
    filter::GroupSet guarded{}, lingering{};
    bool lease = true; // it holds
    std::map<std::size_t, std::optional<filter::Service>> expected; // by rule, and where it is known to be
};

// In every one 192.0.2.100 and fd00::100 are virtual IPs, and some rule covers TCP port 80.
const std::vector<Scenario> &scenarios();

// The same as the programs read it.
std::unique_ptr<nlb_state> state_of(const Scenario &scenario);

} // namespace judges
