// SPDX-License-Identifier: Apache-2.0
// The sections of an effective configuration as TOML text: what `nlbd --check` prints and what
// digests cover.
#pragma once

#include "agent/config/config.hpp"

namespace agent {

// Each begins with its header and ends with a newline. A setting without a value is not printed.
std::string print_cluster(const Config &config);
std::string print_heartbeat(const Config &config);
std::string print_control(const Config &config);
std::string print_agent(const Config &config);
std::string print_metrics(const Config &config);
std::string print_virtual_ips(const Config &config);
std::string print_node(const NodeConfig &node);
std::string print_rule(const RuleConfig &rule, const Config &config);

} // namespace agent
