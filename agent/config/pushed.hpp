// SPDX-License-Identifier: Apache-2.0
//
// A configuration file that another node has sent (nlbctl reload --file), and how it replaces the present one.
// It comes from a holder of the cluster key, who may command the cluster, but not run programs on its machines:
// so it must not name a command, a user or a key that the present file does not name.
#pragma once

#include "agent/config/config.hpp"

#include <cstddef>
#include <string>

namespace agent {

inline constexpr std::size_t kMaxPushed = 64 * 1024; // bytes; 32 nodes and 32 rules take 8 KiB

// The text that is to take the place of the present file. Throws what is wrong with it, as parse_config(), or names
// what only an administrator of this machine may change, with the way out.
Config parse_pushed(const Config &present, const std::string &text);

// Atomic: FILE is the former one or this one at any moment, with the former one's mode; that is kept as
// FILE.old. Throws std::system_error when the directory may not be written to.
void replace_config(const std::string &file, const std::string &text);

// For `nlbctl accept`, as root: `pushed` was written by the agent's user, so no link is followed, and it is looked
// through again. Throws when it must not take the place of `file`.
void accept_config(const std::string &pushed, const std::string &file);

} // namespace agent
