// SPDX-License-Identifier: Apache-2.0
// What the kernel has refused: "verb object: cause; way out".
#pragma once

#include <string>

namespace agent {

// Throws std::runtime_error; the cause is errno's.
[[noreturn]] void fail(const std::string &what, const std::string &way_out = {});

} // namespace agent
