// SPDX-License-Identifier: Apache-2.0
// What the kernel has refused: "verb object: cause; way out".
#pragma once

#include "filter/failure.hpp"

#include <cerrno>
#include <string>

namespace agent {

using filter::describe;
using filter::fail;

// The cause is errno's.
[[noreturn]] inline void fail(const std::string &what, const std::string &way_out = {}) {
    filter::fail(what, errno, way_out);
}

} // namespace agent
