// SPDX-License-Identifier: Apache-2.0
//
// Answers for the virtual IPs in ARP and neighbour discovery, with the cluster MAC, while this node
// is the one that should; the kernel is silent about them (host/setup.hpp). Every node hears the
// questions; the default host alone answers. Its place in the cluster can move without a word to
// the clients: the answer stays the same, so nothing is ever announced.
#pragma once

#include "agent/frames/line.hpp"
#include "agent/frames/message.hpp"
#include "agent/frames/solicited.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agent {

struct NeighbourCounters {
    std::uint64_t answered = 0;
    std::uint64_t ignored = 0;   // well-formed, but another node's to answer
    std::uint64_t malformed = 0; // not a valid question
    std::uint64_t send_errors = 0;
};

class Neighbours {
  public:
    // Throws std::runtime_error. An interface that is down is no error: heal() opens it later.
    Neighbours(const std::string &interface, const std::vector<filter::IpAddress> &virtual_ips,
               const filter::MacAddress &cluster_mac);

    void wait(Poll &poll) const { line_.wait(poll); } // readable: call handle()
    int descriptor() const { return line_.descriptor(); }
    void handle(); // a bounded number of the frames that wait; the rest wakes poll up again
    void set_answering(bool answering) { answering_ = answering; } // false at first

    bool heal(); // as Line's

    const NeighbourCounters &counters() const { return counters_; }

  private:
    void answer(const Solicitation &question);

    std::string interface_;
    std::vector<filter::IpAddress> virtual_ips_;
    filter::MacAddress cluster_mac_;
    bool answering_ = false;
    std::optional<SolicitedNodeGroups> groups_;
    Line line_;
    NeighbourCounters counters_;
};

} // namespace agent
