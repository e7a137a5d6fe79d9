// SPDX-License-Identifier: Apache-2.0
//
// Whose a captured packet is. The agent says once in a while what owners follow from (capture_source);
// the names behind a verdict are worked out here.
#pragma once

#include "agent/base/json.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/ownership.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agent {

class PacketOwners {
  public:
    void update(const Json &source); // what capture_source has said

    std::optional<std::string> rule(const filter::Verdict &verdict) const; // nothing: none, uncovered
    std::optional<std::string> owner(const filter::Verdict &verdict) const; // nothing: no owner, or no bucket

  private:
    Json known_; // of the last update: most tell nothing new
    std::vector<std::string> rules_;
    std::map<heartbeat::NodeId, std::string> nodes_;
    std::vector<std::shared_ptr<const heartbeat::OwnerTable>> owners_;
};

// "drop foreign: rule http, bucket 123, owner web2": a packet's comment.
std::string verdict_text(const filter::Verdict &verdict, const PacketOwners &owners);

} // namespace agent
