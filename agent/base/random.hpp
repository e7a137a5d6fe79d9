// SPDX-License-Identifier: Apache-2.0
// Random numbers from the kernel: for jitter and for lives, which must never repeat across
// restarts.
#pragma once

#include <cstdint>

namespace agent {

std::uint64_t random_bits();

} // namespace agent
