// SPDX-License-Identifier: Apache-2.0
// The same verdict code, compiled for user space: what the BPF programs must agree with. No socket
// belongs to any packet here, and the clock stands where the test has set it, at first at zero.
#pragma once

#include "filter/tables.hpp"

#include <vector>

// The state remembers fragments.
filter::Verdict reference(nlb_state &state, const std::vector<std::uint8_t> &frame);
void set_reference_clock(std::uint64_t ns);
