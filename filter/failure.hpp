// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace filter {

std::string describe(int error); // as strerror, and the kernel's own

// Throws std::runtime_error, "attach xdp to eth0: Operation not supported; way out".
[[noreturn]] void fail(const std::string &what, int error, const std::string &way_out = {});

} // namespace filter
