// SPDX-License-Identifier: Apache-2.0
// Tables of cases, and the three ways to judge a frame, which must agree: the judge program, the
// XDP program with its counters and what it does to the frame, and the same code in user space.
#pragma once

#include "packets.hpp"

#include "filter/datapath.hpp"
#include "filter/verdict/layout.h"

#include <memory>
#include <string_view>

struct Case {
    std::string_view situation;
    packets::Bytes frame;
    std::string_view reason;
    int rule = -1;
};

void check_cases(filter::Datapath &datapath, const filter::Tables &tables,
                 const std::vector<Case> &cases);

// Tables as the user-space code wants them, with a lease that never ends.
std::unique_ptr<nlb_state> state_of(const filter::Tables &tables);

// Every kind of frame that is let in by a node to which everything belongs.
std::vector<Case> well_formed_cases();
