// SPDX-License-Identifier: Apache-2.0
// getrandom of eight bytes neither fails nor is cut short once the kernel's pool is initialised.
#include "agent/base/random.hpp"

#include <sys/random.h>

namespace agent {

std::uint64_t random_bits() {
    std::uint64_t bits = 0;
    while (getrandom(&bits, sizeof bits, 0) != sizeof bits)
        continue;
    return bits;
}

} // namespace agent
