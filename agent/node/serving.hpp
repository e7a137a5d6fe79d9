// SPDX-License-Identifier: Apache-2.0
//
// Where membership and filter meet: a view says who is in the cluster, ownership computes who owns
// each bucket, and out of that come the tables that this node's filter is to hold. No sockets and
// no kernel in here.
//
// Buckets are let go in one step and gained in another: `release` only ever takes away, `serve` may
// give.
#pragma once

#include "filter/datapath.hpp"
#include "heartbeat/membership.hpp"
#include "heartbeat/ownership.hpp"

#include <array>
#include <memory>
#include <optional>
#include <vector>

namespace agent {

class Serving {
  public:
    // nodes: all configured ones. refusing: rules whose clients are refused when no node serves them. received:
    // the virtual IPs, where packets of other nodes are sent on to them; else none.
    Serving(heartbeat::NodeId self, const std::vector<heartbeat::NodeId> &nodes,
            std::vector<heartbeat::RuleOwnership> rules, heartbeat::RuleBits refusing,
            std::vector<heartbeat::Received> received = {});

    // Computes what takes long for these nodes, so that no takeover waits for it.
    void prepare(const std::vector<heartbeat::NodeId> &nodes);

    // What a step changed: whether the tables have to be installed, and the groups that lost a
    // bucket.
    struct Change {
        bool tables = false;
        filter::GroupSet lost{};
    };
    Change apply(const heartbeat::Action &action);
    // Other rules. Table i is from now on what table former[i] was; without one
    // it serves nothing until the next action.
    void configure(std::vector<heartbeat::RuleOwnership> rules, heartbeat::RuleBits refusing,
                   const std::vector<std::optional<std::size_t>> &former,
                   std::vector<heartbeat::Received> received = {});
    // The view that share() and owner() speak of from now on; apply() does it by itself. For a node
    // that looks on.
    bool consider(const heartbeat::View &view); // whether it is another one

    // The groups in which one of these buckets (by table) is not served by this node.
    filter::GroupSet not_served(const std::vector<filter::BucketSet> &buckets) const;
    bool serves_nothing() const;

    const filter::Tables &tables() const {
        return tables_;
    } // one a rule and, last, uncovered traffic
    heartbeat::Digest digest() const {
        return digest_;
    } // of the applied view's owner tables; 0: no view

    std::vector<unsigned> buckets() const; // served by this node, by rule; last: uncovered traffic
    bool default_host() const;             // this node serves the uncovered traffic
    // The virtual IPs for which this node answers in ARP and neighbour discovery; bit i: the i-th.
    std::uint32_t answered() const;
    // The node that answers for the i-th one in the considered view; kNoNode: no node.
    heartbeat::NodeId receiver(std::size_t virtual_ip) const;
    bool forwards() const { return !received_.empty(); }
    // To which node packets of each bucket are sent on in the considered view: its owner; where there is none,
    // and clients are told so, the default host. By table.
    filter::Numbers numbers() const;
    // The part of all buckets that a node owns in the considered view, over the rules that are
    // shared at all.
    double share(heartbeat::NodeId id) const { return shares_[heartbeat::index(id)]; }
    // Buckets of a table by owner, in the considered view; at kNoNode those without an owner.
    using Owned = std::array<unsigned, heartbeat::kMaxNodes + 1>;
    const Owned &owned(std::size_t rule) const { return owned_[rule]; }
    // The owner of a bucket in the considered view; kNoNode: none. rule == number of rules:
    // uncovered traffic.
    heartbeat::NodeId owner(std::size_t rule, unsigned bucket) const;
    // What a node's claim to a rule weighs in the considered view; 0: it has none.
    unsigned weight(std::size_t rule, heartbeat::NodeId id) const;
    const std::vector<heartbeat::RuleOwnership> &rules() const { return rules_; }

  private:
    void decide_who_refuses(filter::Tables &tables) const;
    Change replace(filter::Tables next);
    std::uint32_t receives() const;
    filter::Tables own_tables() const;
    void count_owned();
    void count_shares();

    heartbeat::NodeId self_;
    std::vector<heartbeat::RuleOwnership> rules_;
    heartbeat::RuleBits refusing_;
    std::vector<heartbeat::Received> received_;
    std::vector<heartbeat::NodeId> receivers_; // in the considered view, one each
    std::uint32_t receives_ = 0;               // of those this node's, as far as it serves
    std::unique_ptr<heartbeat::Ownership> ownership_;
    std::optional<heartbeat::View> view_; // the one that owners_ are of
    std::vector<std::shared_ptr<const heartbeat::OwnerTable>> owners_;
    heartbeat::Digest digest_ = 0;
    std::vector<Owned> owned_; // of owners_, one a table
    std::array<double, heartbeat::kMaxNodes + 1> shares_{};
    filter::Tables tables_;
};

} // namespace agent
