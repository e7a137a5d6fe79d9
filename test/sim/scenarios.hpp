// SPDX-License-Identifier: Apache-2.0
// Named courses of events: what broke drafts of the protocol, each kept for good.
#pragma once

#include "world.hpp"

namespace sim {

struct Scenario {
    const char *name;
    const char *what;
    Options options;
    void (*play)(World &world);
};

std::vector<Scenario> scenarios(const std::string &name = ""); // all, or those of this name

} // namespace sim
