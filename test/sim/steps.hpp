// SPDX-License-Identifier: Apache-2.0
// What scenarios are made of.
#pragma once

#include "world.hpp"

namespace sim {

void form(World &world, unsigned first, unsigned last); // nodes that start at about the same time
void run_for(World &world, Duration low, Duration high);
void heal(World &world); // everything works again, and in the end all serve
void cut_both(World &world, unsigned one, unsigned other);
unsigned leader_of(const World &world); // anybody, when there is none
void reweight(World &world, unsigned id, unsigned weight);

// Of the nodes that run now: which goes on is told by its number.
class Lives {
  public:
    explicit Lives(const World &world);
    void check_same(unsigned id) const; // throws Violation

  private:
    heartbeat::Life of(unsigned id) const;

    const World &world_;
    std::vector<heartbeat::Life> lives_;
};

} // namespace sim
