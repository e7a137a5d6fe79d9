// SPDX-License-Identifier: Apache-2.0
// The parts of the benchmark that run in one process; each is called once, inside a Host.
#pragma once

#include <nlohmann/json.hpp>

namespace bench {

// situation -> contender -> frames a second, one number a repeat
nlohmann::json measure_drops(unsigned repeats);

// verdict -> nanoseconds a frame, one number a batch; "nothing": a program that only drops
nlohmann::json measure_verdicts(unsigned repeats);

// number of rules -> {"computing_ms", "switching_ms", "longest_step_ms"}: one number a view
nlohmann::json measure_views(unsigned repeats);

} // namespace bench
