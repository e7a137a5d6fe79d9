// SPDX-License-Identifier: Apache-2.0
//
// The datapath for drivers without XDP: a program on the interface's tc hook, which sees packets
// as the stack does, joined by GRO, and writes nothing into them.
#pragma once

#include "filter/datapath.hpp"

#include <memory>
#include <string>

namespace filter::tc {

// As xdp::attach.
std::unique_ptr<Datapath> attach(const std::string &interface, const std::string &pin_dir,
                                 const Settings &settings);

} // namespace filter::tc
