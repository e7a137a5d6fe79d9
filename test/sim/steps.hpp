// SPDX-License-Identifier: Apache-2.0
// What scenarios are made of.
#pragma once

#include "world.hpp"

namespace sim {

void form(World &world, unsigned first, unsigned last); // nodes that start at about the same time
void run_for(World &world, Duration low, Duration high);
void heal(World &world); // everything works again, and in the end all serve
void cut_both(World &world, unsigned one, unsigned other);
unsigned leader_of(const World &world); // any node, when there is none
void reweight(World &world, unsigned id, unsigned weight);
void set_links(World &world, unsigned one, unsigned other, bool up); // without an excuse
void stop(World &world, unsigned id);
heartbeat::Role role_of(const World &world, unsigned id); // joining, if no process runs there

// Until it is so, or a third of a second has gone.
template <class Condition>
void run_until_so(World &world, Condition is_so) {
    for (int i = 0; i < 6000 && !is_so(); ++i)
        world.run_until(world.now() + 50us);
}

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
