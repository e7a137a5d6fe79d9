// SPDX-License-Identifier: Apache-2.0
//
// Once a second: what somebody has taken away from the host is put back, and what came back is used
// again. Each part tries by itself, so that one that fails keeps no other from its turn.
#pragma once

#include "agent/base/working.hpp"
#include "agent/frames/multicast_router.hpp"
#include "agent/frames/neighbours.hpp"
#include "agent/frames/witness.hpp"
#include "agent/host/interface.hpp"
#include "agent/host/setup.hpp"
#include "agent/orders/execution.hpp"
#include "agent/report/problems.hpp"
#include "filter/datapath.hpp"

#include <optional>
#include <string>

namespace agent {

struct Kept { // all of it outlives the Upkeep
    const std::string &interface; // the clients'
    filter::Datapath &datapath;
    HostSetup &host;
    Neighbours &neighbours;
    std::optional<MulticastRouter> &multicast_router;
    std::optional<Witness> &witness;
    Execution &execution;
    Problems &problems;
};

class Upkeep {
  public:
    // interface: as the datapath has found it; index 0: there is none.
    Upkeep(Kept parts, const HostInterface &interface);

    void wait(Poll &poll) const;
    // On every turn. True when a second has passed, or a link has changed: then it has looked after
    // everything.
    bool handle(heartbeat::Time now);

    // A node whose filter does not show that it works serves nothing: the others are to have its
    // buckets. What is missing is put back first.
    void look_after_filter();

    // As it is now; when the kernel cannot be asked, as it was.
    const HostInterface &look_at_interface();
    // Why the agent must end; empty: it need not.
    const std::string &failure() const { return failure_; }

  private:
    void look_after_all(heartbeat::Time now, bool link_changed);
    void look_after_bridges(heartbeat::Time now, bool link_changed);
    void look_after_interface();
    void look_after_host();
    std::string heal_filter();

    Kept parts_;
    HostInterface seen_;
    int index_;
    LinkWatch links_;
    Working bridges_;
    std::optional<std::string> flaw_ = // of the filter, as far as is known
        "the filter has not been shown to work yet";
    std::string failure_;
    heartbeat::Time next_{};
};

} // namespace agent
