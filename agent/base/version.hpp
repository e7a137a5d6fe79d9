// SPDX-License-Identifier: Apache-2.0
// The version that both programs print: the build file's.
#pragma once

#include <string_view>

namespace agent {

#ifndef NLBD_VERSION
#define NLBD_VERSION "0.2.0"
#endif
inline constexpr std::string_view kVersion = NLBD_VERSION;

} // namespace agent
