// SPDX-License-Identifier: Apache-2.0
// Which datapath this node gets, from what was configured and what the host allows.
#pragma once

#include "agent/config/config.hpp"
#include "agent/host/run_dir.hpp"
#include "agent/report/problems.hpp"
#include "filter/datapath.hpp"

#include <memory>
#include <string>
#include <vector>

namespace agent {

// steps_down: why it is not the one that was tried first. With `auto` the pcap datapath
// takes the place of an XDP one that cannot be loaded or attached, but not while another nlbd's is
// there. Throws std::runtime_error when none can be had; what is left then is what a killed agent
// had left.
std::unique_ptr<filter::Datapath> attach_datapath(const Config &config, const NodeConfig &self,
                                                  RunDir &run_dir,
                                                  const filter::Settings &settings,
                                                  std::vector<filter::StepDown> &steps_down);

// Something had to be in the place of the best datapath, and could be cured: a problem, with its price.
void set_stepped_down(Problems &problems, const filter::Datapath &datapath,
                      const std::vector<filter::StepDown> &steps_down);

} // namespace agent
