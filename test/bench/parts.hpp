// SPDX-License-Identifier: Apache-2.0
// The parts of the benchmark that run in one process; each is called once, the measuring ones
// inside a Host.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

// situation -> contender -> frames a second, one number a repeat
nlohmann::json measure_drops(unsigned repeats);

// delivery -> nodes -> frames a second at the node that gets most, one number a repeat; capacity.py makes sense of it
nlohmann::json measure_capacity(unsigned repeats);

// verdict -> nanoseconds a frame, one number a batch; "nothing": a program that only drops
nlohmann::json measure_verdicts(unsigned repeats);

// number of rules -> {"computing_ms", "switching_ms", "longest_step_ms"}: one number a view
nlohmann::json measure_views(unsigned repeats);

// SYNs to a port of the cluster (192.0.2.100), from these IPv4 addresses in turn, into an end of a
// veth pair. Their number is a power of two.
struct Flood {
    std::string interface;
    std::uint16_t port;
    double per_second, seconds;
};
std::uint64_t send_flood(const Flood &flood, const std::vector<std::string> &sources);

} // namespace bench
