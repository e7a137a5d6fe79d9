// SPDX-License-Identifier: Apache-2.0
// How long a request may be that brings a configuration file, escaped as JSON. Any other: Commands::kLongest.
#pragma once

#include <cstddef>

namespace agent {

inline constexpr std::size_t kLongestWithFile = 160 * 1024; // bytes

} // namespace agent
