// SPDX-License-Identifier: Apache-2.0
//
// The datapath for drivers without XDP: a program on the interface's tc hook, which sees packets
// as the stack does, joined by GRO, and writes nothing into them. With Settings::forward it is also the one for
// drivers with XDP: a program there takes the greater part of what is sent on off its hands.
#pragma once

#include "filter/datapath.hpp"

#include <memory>
#include <string>
#include <vector>

namespace filter::tc {

// As xdp::attach. in_front: with Settings::forward alone. steps_down: gets why XDP was not possible.
std::unique_ptr<Datapath> attach(const std::string &interface, const std::string &pin_dir,
                                 const Settings &settings, InFront in_front = InFront::nothing,
                                 std::vector<StepDown> *steps_down = nullptr);

// What an agent that sent packets on (Settings::forward) and was killed has left, once this process has a
// datapath in its place that does not: its second lock would let nothing in.
void remove_lock(const std::string &interface, const std::string &pin_dir);

} // namespace filter::tc
