// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace agent {

// The whole text, and synced. 0, or the cause as in errno: ENOSPC when only a part went in, for which
// write(2) has no error.
int write_synced(int descriptor, std::string_view text);

} // namespace agent
