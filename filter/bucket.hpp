// SPDX-License-Identifier: Apache-2.0
// The bucket that the filter puts a source in, for everybody who must know it outside of the
// filter: `nlbctl explain` and tests. The same code as in the BPF program.
#pragma once

#include "filter/datapath.hpp"

namespace filter {

// The port counts with Affinity::none alone. Traffic that no rule covers: Affinity::single.
unsigned bucket_of(const std::array<std::uint8_t, 16> &hash_key, Affinity affinity,
                   const IpAddress &source, std::uint16_t port);

} // namespace filter
