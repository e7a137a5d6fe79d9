// SPDX-License-Identifier: Apache-2.0
//
// `nlbctl doctor`: what is wrong with this cluster and the network that it is on, with the line to
// type. The first thing to run on a new cluster, and whenever clients are not served.
#pragma once

#include "agent/base/exit.hpp"

#include <optional>
#include <ostream>
#include <string>

namespace agent {

struct DoctorOrder {
    std::string run_dir, config_file;
    std::optional<std::string> node; // which one this host is, where no agent runs
    bool json = false, colour = false;
};

// kDone: all well. kFailed: warnings. kRefused: faults. kNoAgent: no agent answers, and nothing else is
// a fault. Throws Denied while another doctor runs, and as ask_agent.
ExitCode doctor(const DoctorOrder &order, std::ostream &out);

} // namespace agent
