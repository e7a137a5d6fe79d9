// SPDX-License-Identifier: Apache-2.0
// Whose word a file is that the agent goes by: root's or its own, and nobody else's.
#pragma once

#include <optional>
#include <string>

struct stat;

namespace agent {

// Why a file cannot be gone by, with the way out: it belongs to a third user, or anybody may write to it.
std::optional<std::string> distrust(const std::string &file, const struct stat &status);

// The same of a file by its name; throws `read configuration FILE: cause; way out`. One that is not
// there is trusted: who reads it says so.
void require_trusted(const std::string &file);

} // namespace agent
