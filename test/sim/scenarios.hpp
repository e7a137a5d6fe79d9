// SPDX-License-Identifier: Apache-2.0
// Named courses of events: what broke drafts of the protocol, each kept for good.
#pragma once

#include "world.hpp"

namespace sim {

struct Scenario {
    const char *name;
    Options options;
    void (*play)(World &world); // throws Violation
};

std::vector<Scenario> scenarios(const std::string &name = ""); // all, or the one of this name
std::vector<Scenario> election_scenarios(); // those of them that are about who may lead
std::vector<Scenario> office_scenarios();   // and for how long
std::vector<Scenario> list_scenarios();     // in which the list of nodes changes
std::vector<Scenario> plane_scenarios();    // with a heartbeat network beside the clients' one

} // namespace sim
