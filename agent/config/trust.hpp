// SPDX-License-Identifier: Apache-2.0
// The agent reads only files that root or its own user owns.
#pragma once

#include <optional>
#include <string>

struct stat;

namespace agent {

// Why the agent does not read a file, with the way out: it belongs to a third user, or all users may write to it.
std::optional<std::string> distrust(const std::string &file, const struct stat &status);

// The same for a file by its name; throws `read configuration FILE: cause; way out`. A missing file is
// not refused here: the caller that opens it reports that.
void require_trusted(const std::string &file);
void require_trusted(const std::string &file, const struct stat &status);

} // namespace agent
