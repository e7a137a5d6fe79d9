// SPDX-License-Identifier: Apache-2.0
//
// From a TOML tree to a checked configuration, section by section.
#pragma once

#include "agent/config/config.hpp"
#include "agent/config/reader.hpp"

namespace agent {

Config read_config(const TomlValue &tree, const std::string &file);
RuleConfig read_rule(const Field &table,
                     const Config &config); // nodes and virtual IPs are known by then
// The default.
HealthConfig default_health(HealthType type);
// Protocol and ports of the rule are known by then.
HealthConfig read_health(const Field &field, const RuleConfig &rule);
void refuse_overlap(const Field &table, const RuleConfig &rule, const Config &config);

} // namespace agent
