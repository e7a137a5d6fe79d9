// SPDX-License-Identifier: Apache-2.0
// Refuses texts that must not reach the TOML parser.
#pragma once

#include <string>

namespace agent {

// Throws like parse_config, with KEY `syntax`.
void scan_toml(const std::string &text, const std::string &file);

} // namespace agent
