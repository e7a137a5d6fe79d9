// SPDX-License-Identifier: Apache-2.0
#include "agent/base/random.hpp"

#include <sodium.h>

#include <array>

namespace agent {

std::uint64_t random_bits() {
    thread_local std::array<std::uint64_t, 64> drawn;
    thread_local std::size_t left = 0;
    if (left == 0) {
        randombytes_buf(drawn.data(), sizeof drawn);
        left = drawn.size();
    }
    return drawn[--left];
}

} // namespace agent
