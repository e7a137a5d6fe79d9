// SPDX-License-Identifier: Apache-2.0
//
// View -> owner of every bucket. Weighted rendezvous hashing: a bucket belongs to the member with
// the highest score, so that a leaver's buckets spread over all survivors and a joiner takes its
// share from all, and nothing else moves. Integer arithmetic only: all nodes agree to the
// last bit.
#pragma once

#include "heartbeat/types.hpp"

#include <map>
#include <memory>
#include <vector>

namespace heartbeat {

enum class RuleMode : std::uint8_t { multiple, single, disabled };

// What ownership needs to know of a port rule.
struct RuleOwnership {
    RuleMode mode = RuleMode::multiple;
    std::map<NodeId, std::uint8_t>
        weights;                  // over the members' own (a member of weight 0 stays at 0)
    std::vector<NodeId> priority; // single: the first of these that is eligible, else the lowest id
};

using OwnerTable = std::vector<NodeId>; // by bucket; kNoNode: no node is eligible

// Computes owner tables and keeps what is reusable between views: what one node's coming or going does
// not touch is not drawn again. Not thread-safe.
class Ownership {
  public:
    explicit Ownership(std::vector<RuleOwnership> rules, unsigned buckets = 65536);
    ~Ownership();

    void set_rules(std::vector<RuleOwnership> rules);
    // One table for each rule and, last, the one of uncovered traffic: the lowest id with weight
    // above 0. Tables that are equal are shared.
    std::vector<std::shared_ptr<const OwnerTable>> tables(const View &view);
    // Computes what tables() needs of each of these nodes, and keeps: milliseconds for each.
    void prepare(const std::vector<NodeId> &nodes);

    // The weight that a member has for a rule in this view, 0 when it is not eligible. rule ==
    // number of rules: uncovered traffic.
    unsigned weight(const View &view, std::size_t rule, NodeId id) const;

  private:
    struct Scores;
    struct Candidate {
        NodeId id;
        unsigned weight;
        auto operator<=>(const Candidate &) const = default;
    };
    using Candidates = std::vector<Candidate>; // by ascending id
    struct Drawn {
        Candidates candidates;
        std::shared_ptr<const OwnerTable> owners;
    };
    Candidates candidates(const View &view, std::size_t rule) const;
    std::shared_ptr<const OwnerTable> draw(const Drawn &last, const Candidates &candidates);

    std::vector<RuleOwnership> rules_;
    unsigned buckets_;
    std::unique_ptr<Scores> scores_;
    std::vector<Drawn> drawn_; // last time, by rule
};

Digest digest(const std::vector<std::shared_ptr<const OwnerTable>> &tables);

// A virtual IP to which frames come at one node, which sends on what is another's (delivery = "forward").
struct Received {
    std::uint64_t key = 0;      // of the address: another one each, the same on every node
    std::vector<NodeId> pinned; // the first of these that is a member with weight above 0, else as below
};

// The node that answers for each of them; kNoNode: no member has weight. One alone is the default host's.
// Of several each goes to the member with the highest score (as a bucket does), so that they are spread by
// weight, and a node's coming or going moves as few as it can.
std::vector<NodeId> receivers(const View &view, const std::vector<Received> &virtual_ips);

} // namespace heartbeat
