// SPDX-License-Identifier: Apache-2.0
// The same verdict code, compiled for user space: what the BPF programs must agree with. No socket
// belongs to any packet here, and the clock stands at zero.
#pragma once

#include "filter/tables.hpp"

#include <vector>

filter::Verdict reference(const nlb_state &state, const std::vector<std::uint8_t> &frame);
