// SPDX-License-Identifier: Apache-2.0
// Random numbers from the kernel: for jitter and for lives, which must never repeat across
// restarts. Many are drawn at once: a beat costs a number. A process that forks must draw none on both sides.
#pragma once

#include <cstdint>

namespace agent {

std::uint64_t random_bits();

} // namespace agent
