// SPDX-License-Identifier: Apache-2.0
#include "agent/base/random.hpp"

#include <sodium.h>

namespace agent {

std::uint64_t random_bits() {
    std::uint64_t bits = 0;
    randombytes_buf(&bits, sizeof bits);
    return bits;
}

} // namespace agent
