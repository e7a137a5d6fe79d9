// SPDX-License-Identifier: Apache-2.0
//
// Concludes from what the nodes heard what is wrong, with the command to type. A pure function.
#pragma once

#include "agent/nlbctl/findings.hpp"
#include "agent/nlbctl/rounds.hpp"

#include <string>
#include <vector>

namespace agent {

Diagnosis diagnose(const std::vector<Patient> &patients);

// What one node heard of another on the clients' interface.
enum class Hears {
    itself,     // not looked at
    unknown,    // one of the two does not answer
    all,        // clients' frames, of every size and family
    short_ones, // but not those of the MTU's size
    broadcasts, // no frames to the cluster MAC, or not of every family
    nothing,
};
Hears hears(const Patient &from, const Patient &to);
// The kinds of its probes that were heard there; empty where that is not known.
std::set<std::string> kinds_heard(const Patient &from, const Patient &to);

} // namespace agent
