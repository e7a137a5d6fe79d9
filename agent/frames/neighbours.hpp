// SPDX-License-Identifier: Apache-2.0
//
// Answers for the virtual IPs in ARP and neighbour discovery, with the cluster MAC, while this node
// is the one that should; the kernel is silent about them (host/setup.hpp). Every node hears the
// questions; the default host alone answers. Where frames come at one node (delivery = "forward"), each
// virtual IP's receiver answers for it, with its own MAC.
//
// It also announces them, unasked: three times from when it becomes the one that should, for others
// may have had the addresses before; and each time that another machine claims one, as often as
// kDefence allows (RFC 5227, section 2.4, has ten seconds, in which clients would be lost).
#pragma once

#include "agent/frames/line.hpp"
#include "agent/frames/message.hpp"
#include "agent/frames/solicited.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/types.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agent {

struct NeighbourCounters {
    std::uint64_t answered = 0;
    std::uint64_t ignored = 0;   // well-formed, but another node's to answer
    std::uint64_t malformed = 0; // not a valid question
    std::uint64_t send_errors = 0;
    std::uint64_t announced = 0;
    std::uint64_t claimed = 0; // by others, for themselves
};

class Neighbours {
  public:
    // Throws std::runtime_error. An interface that is down is not an error: heal() opens it later.
    // cluster_mac: nothing where answers name this interface's own MAC. Hears by the datapath, if that can,
    // otherwise by a packet socket.
    Neighbours(const std::string &interface, const std::vector<filter::IpAddress> &virtual_ips,
               const std::optional<filter::MacAddress> &cluster_mac, filter::Datapath *datapath = nullptr);

    void wait(Poll &poll) const; // readable, or an announcement is due: call handle()
    int descriptor() const;
    // A bounded number of the frames that wait; the rest wakes poll up again.
    void handle(heartbeat::Time now);
    // Bit i: for the i-th one; 0 at first. With another occasion it announces them again: others may
    // have done so meanwhile.
    void set_answering(std::uint32_t virtual_ips, std::uint64_t occasion = 0);
    // Machines that may rightly claim a virtual IP: the cluster's other nodes.
    void set_nodes(std::span<const filter::MacAddress> macs) { nodes_.assign(macs.begin(), macs.end()); }
    // Answers for these from now on, and announces them. Throws as heal(), which then goes on with it.
    void configure(heartbeat::Time now, const std::vector<filter::IpAddress> &virtual_ips);

    // Other machines that claimed a virtual IP within the last ten seconds, a text each.
    std::vector<std::string> claims(heartbeat::Time now) const;

    bool heal(); // as Line's

    const NeighbourCounters &counters() const { return counters_; }

  private:
    bool is_virtual_ip(const filter::IpAddress &address) const;
    bool answers_for(const filter::IpAddress &address) const;
    bool is_a_nodes(const filter::MacAddress &mac) const;
    void hear(heartbeat::Time now, std::span<const std::uint8_t> frame);
    void answer(const Solicitation &question);
    void announce(heartbeat::Time now);
    void join_groups();

    struct Heard {
        Claim claim;
        heartbeat::Time at;
    };

    std::string interface_;
    filter::Datapath *datapath_; // by which it hears; null: by the line
    std::vector<filter::IpAddress> virtual_ips_;
    std::optional<filter::MacAddress> cluster_mac_;
    std::vector<filter::MacAddress> nodes_;
    std::uint32_t answering_ = 0;
    std::uint64_t occasion_ = 0;
    int announcements_ = 0; // that are left
    heartbeat::Time next_{}; // of them
    std::vector<Heard> heard_; // the last claim of each address
    std::optional<SolicitedNodeGroups> groups_;
    Line line_;
    NeighbourCounters counters_;
};

} // namespace agent
