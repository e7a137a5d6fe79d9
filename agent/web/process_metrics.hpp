// SPDX-License-Identifier: Apache-2.0
// What every program tells of its own process, by the names that Prometheus's clients have for it.
#pragma once

#include "agent/web/prometheus.hpp"

namespace agent {

// Reads /proc; what cannot be read is left out.
void add_process(MetricsText &out);

} // namespace agent
