// SPDX-License-Identifier: Apache-2.0
// The bucket that the filter puts a source in, for the code outside of the filter that must know
// it: the count of connections, and tests. The same code as in the BPF program.
#pragma once

#include "filter/datapath.hpp"
#include "filter/verdict/layout.h"

namespace filter {

using HashKey = std::array<std::uint8_t, 16>;

// What nlb_bucket looks up, filled from the key: 20 kB, about 0.1 ms.
nlb_hash hash_tables(const HashKey &key);

class Buckets {
  public:
    explicit Buckets(const HashKey &key) : hash_(hash_tables(key)) {}

    // The port counts with Affinity::none alone. Traffic that no rule covers: Affinity::single.
    unsigned of(Affinity affinity, const IpAddress &source, std::uint16_t port) const;

  private:
    nlb_hash hash_;
};

} // namespace filter
