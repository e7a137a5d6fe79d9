// SPDX-License-Identifier: Apache-2.0
//
// Answers clients that the filter has refused for the whole cluster: a rule's service works on no
// node, and when_all_down = "reject". At most 2,000 answers a second: the others wait
// in the filter's ring, and when it is full they are dropped silently.
#pragma once

#include "agent/frames/line.hpp"
#include "filter/address.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/types.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agent {

class Rejects {
  public:
    Rejects(std::string interface, filter::Datapath &datapath)
        : datapath_(datapath), line_(std::move(interface)) {}

    void wait(Poll &poll) const; // readable, or its rest is over: call handle()
    void handle(heartbeat::Time now);

  private:
    filter::Datapath &datapath_;
    Line line_;
    heartbeat::Time rests_until_{};
};

// The answer to a client whose new connection no node serves: a TCP reset (RFC 9293,
// section 3.10.7.1), or "port unreachable" for a datagram (RFC 792, RFC 4443 section 3.1).
// refused: the first bytes of a SYN or a datagram, as received. The answer goes back to where the frame
// came from, by the same VLAN. Nothing for what must not be answered: from a group, from the unspecified
// address, or not a new connection.
std::optional<std::vector<std::uint8_t>> build_reject(std::span<const std::uint8_t> refused,
                                                       const filter::MacAddress &own_mac);

} // namespace agent
