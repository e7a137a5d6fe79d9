// SPDX-License-Identifier: Apache-2.0
// From what the agent says (Settings, Tables) to what the programs read (layout.h). Pure; knows no
// kernel.
#pragma once

#include "filter/datapath.hpp"
#include "filter/verdict/layout.h"
#include "filter/verdict/reasons.hpp"

namespace filter {

// Fills a cleared `config`. Throws std::runtime_error when there are more rules or virtual IPs than
// the layout holds, or an address twice.
void write_config(const Settings &settings, nlb_config &config);

// Fills `owners` with one table for each rule and one for uncovered traffic. Throws
// std::logic_error when there are not that many.
void write_owners(const Tables &tables, std::size_t rules, nlb_owners &owners);

// protocol: NLB_TCP or NLB_UDP.
bool covers(const Rule &rule, std::size_t virtual_ip, int protocol, unsigned port);

nlb_service service_entry(bool expected, const std::optional<Service> &known);

nlb_paths paths_entry(const Paths &paths);
Paths to_paths(const nlb_paths &entry);

// A MAC address as the programs compare and store it.
std::uint64_t mac_word(const MacAddress &mac);

// nlb_state's `captured`.
std::uint64_t shown_reasons(Shown what);

// In the terms of datapath.hpp: -1 for uncovered traffic.
Verdict to_verdict(const nlb_verdict &verdict);

} // namespace filter
