// SPDX-License-Identifier: Apache-2.0
//
// What the doctor looks at where no agent runs: whether one could start. Configuration, key,
// interface, kernel, BPF and rights, as the agent itself would judge them.
#pragma once

#include "agent/nlbctl/findings.hpp"

#include <optional>
#include <string>

namespace agent {

// node: which one this host is; nothing: by its name.
Diagnosis check_this_host(const std::string &config_file, const std::optional<std::string> &node);

} // namespace agent
