// SPDX-License-Identifier: Apache-2.0
//
// A node's score for a bucket is weight / -ln(u), with u a uniform number in (0, 1) hashed from
// node and bucket: the largest of such scores falls on each node with probability weight / sum of
// weights (Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005). Equivalently the
// smallest cost -log2(u) / weight wins, and that can be had in integers: the cost is a fixed-point
// number, and two of them are compared by multiplying crosswise instead of dividing. Floating point
// was rejected: two compilers may round differently, and two nodes that round differently both
// serve a bucket.
//
// The score depends on node and bucket alone, not on the rule, so that one client's bucket has the
// same owner under every rule with the same weights: a session over http and https stays on one
// node.
#include "heartbeat/ownership.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>

namespace heartbeat {
namespace {

constexpr unsigned kTableBits = 12; // entries of the logarithm's table, interpolated between
constexpr unsigned kFractionBits = 24;

// The 64-bit finaliser of MurmurHash3 (Appleby, public domain): every input bit changes half of the
// output's.
std::uint64_t mix(std::uint64_t x) {
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdULL;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53ULL;
    return x ^ (x >> 33);
}

// log2(1 + i / 4096) for i = 0 to 4096, in units of 2^-24, by repeated squaring: each squaring of a
// number in [1, 2) yields the next binary digit of its logarithm (Knuth, TAOCP volume 1, 1.2.2,
// exercise 25's relative).
std::vector<std::uint32_t> logarithms() {
    std::vector<std::uint32_t> table((1u << kTableBits) + 1);
    for (std::uint64_t i = 0; i < table.size(); ++i) {
        std::uint64_t x = (1ull << 31) + (i << (31 - kTableBits)); // 1.31 fixed point
        std::uint32_t digits = i >> kTableBits ? 1u << kFractionBits : 0;
        if (digits) x >>= 1;
        for (std::uint32_t digit = 1u << (kFractionBits - 1); digit; digit >>= 1) {
            x = (x * x) >> 31;
            if (x >> 32) {
                x >>= 1;
                digits |= digit;
            }
        }
        table[i] = digits;
    }
    return table;
}

// -log2(hash / 2^64) in units of 2^-24; at most 64 << 24, which fits in 31 bits. Never 0.
std::uint32_t cost(std::uint64_t hash, const std::vector<std::uint32_t> &table) {
    hash |= 1;
    const int zeros = std::countl_zero(hash);
    const std::uint64_t fraction = (hash << zeros) << 1; // after the leading one
    const std::uint64_t position = fraction >> (64 - kTableBits);
    const std::uint64_t between = (fraction << kTableBits) >> 40; // 24 bits
    const std::uint64_t low = table[position], high = table[position + 1];
    const std::uint64_t log = low + (((high - low) * between) >> 24);
    const std::uint64_t whole = static_cast<std::uint64_t>(zeros + 1) << kFractionBits;
    return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(whole - log));
}

bool may_serve(const Member &member, std::size_t rule, std::size_t rules) {
    return member.weight > 0 && (rule == rules || (member.eligible >> rule & 1));
}

} // namespace

struct Ownership::Scores {
    std::vector<std::uint32_t> logarithms = heartbeat::logarithms();
    std::vector<std::vector<std::uint32_t>> of_node{kMaxNodes + 1}; // computed when first needed

    const std::vector<std::uint32_t> &of(NodeId id, unsigned buckets) {
        auto &costs = of_node[index(id)];
        for (std::uint64_t bucket = costs.size(); bucket < buckets; ++bucket)
            costs.push_back(cost(mix(mix(index(id)) + bucket), logarithms));
        return costs;
    }
};

Ownership::Ownership(std::vector<RuleOwnership> rules, unsigned buckets)
    : rules_(std::move(rules)), buckets_(buckets), scores_(std::make_unique<Scores>()) {}
Ownership::~Ownership() = default;

unsigned Ownership::weight(const View &view, std::size_t rule, NodeId id) const {
    const Member *member = view.find(id);
    if (!member || !may_serve(*member, rule, rules_.size())) return 0;
    if (rule == rules_.size()) return member->weight;
    const RuleOwnership &own = rules_[rule];
    if (own.mode == RuleMode::disabled) return 0;
    auto found = own.weights.find(id);
    return found == own.weights.end() ? member->weight : found->second;
}

void Ownership::set_rules(std::vector<RuleOwnership> rules) {
    rules_ = std::move(rules);
    drawn_.clear();
}

Ownership::Candidates Ownership::candidates(const View &view, std::size_t rule) const {
    Candidates all;
    for (const Member &member : view.members)
        if (unsigned weight = this->weight(view, rule, member.id)) all.push_back({member.id, weight});
    const bool uncovered = rule == rules_.size();
    if (all.empty() || !(uncovered || rules_[rule].mode == RuleMode::single)) return all;
    if (!uncovered)
        for (NodeId wanted : rules_[rule].priority)
            if (std::ranges::count(all, wanted, &Candidate::id)) return {{wanted, 1}};
    return {{all.front().id, 1}};
}

// A bucket whose owner has stayed can only go to a newcomer, and all others' are drawn among all:
// the same as drawing everything, because a node that lost to the owner still does.
std::shared_ptr<const OwnerTable> Ownership::draw(const Drawn &last, const Candidates &candidates) {
    if (last.owners && last.candidates == candidates) return last.owners;
    Candidates came;
    std::ranges::set_difference(candidates, last.candidates, std::back_inserter(came));
    std::array<const std::uint32_t *, kMaxNodes + 1> costs{};
    std::array<std::uint64_t, kMaxNodes + 1> weights{}; // 0: is none, or not with the same weight
    for (const Candidate &candidate : candidates) {
        costs[index(candidate.id)] = scores_->of(candidate.id, buckets_).data();
        if (std::ranges::count(last.candidates, candidate)) weights[index(candidate.id)] = candidate.weight;
    }
    OwnerTable owners = last.owners ? *last.owners : OwnerTable(buckets_, kNoNode);
    for (unsigned bucket = 0; bucket < buckets_; ++bucket) {
        NodeId owner = owners[bucket];
        std::uint64_t weight = weights[index(owner)];
        if (weight == 0) owner = kNoNode;
        std::uint64_t cost = weight == 0 ? 0 : costs[index(owner)][bucket];
        for (const Candidate &candidate : weight == 0 ? candidates : came) {
            const std::uint64_t other = costs[index(candidate.id)][bucket];
            const std::uint64_t mine = cost * candidate.weight, theirs = other * weight;
            // The lower id keeps a tie.
            if (owner != kNoNode && (theirs > mine || (theirs == mine && owner < candidate.id))) continue;
            owner = candidate.id;
            weight = candidate.weight;
            cost = other;
        }
        owners[bucket] = owner;
    }
    return std::make_shared<const OwnerTable>(std::move(owners));
}

void Ownership::prepare(const std::vector<NodeId> &nodes) {
    for (const NodeId id : nodes)
        scores_->of(id, buckets_);
}

std::vector<std::shared_ptr<const OwnerTable>> Ownership::tables(const View &view) {
    std::vector<std::shared_ptr<const OwnerTable>> result;
    std::map<Candidates, std::shared_ptr<const OwnerTable>> known; // equal ones are shared
    drawn_.resize(rules_.size() + 1);
    for (std::size_t rule = 0; rule <= rules_.size(); ++rule) {
        const Candidates all = candidates(view, rule);
        auto &owners = known[all];
        if (!owners) owners = draw(drawn_[rule], all);
        drawn_[rule] = {all, owners};
        result.push_back(owners);
    }
    return result;
}

namespace {

NodeId receiver(const View &view, const Received &virtual_ip, bool alone) {
    static const std::vector<std::uint32_t> table = logarithms();
    for (const NodeId wanted : virtual_ip.pinned)
        if (const Member *member = view.find(wanted); member && member->weight > 0) return wanted;
    NodeId best = kNoNode;
    std::uint64_t best_cost = 0, best_weight = 1;
    for (const Member &member : view.members) {
        if (member.weight == 0 || (alone && best != kNoNode)) continue;
        const std::uint64_t cost = heartbeat::cost(mix(mix(index(member.id)) + virtual_ip.key), table);
        if (best != kNoNode && cost * best_weight >= best_cost * member.weight) continue;
        best = member.id;
        best_cost = cost;
        best_weight = member.weight;
    }
    return best;
}

} // namespace

std::vector<NodeId> receivers(const View &view, const std::vector<Received> &virtual_ips) {
    std::vector<NodeId> nodes;
    for (const Received &virtual_ip : virtual_ips)
        nodes.push_back(receiver(view, virtual_ip, virtual_ips.size() == 1));
    return nodes;
}

Digest digest(const std::vector<std::shared_ptr<const OwnerTable>> &tables) {
    Digest sum = 0;
    for (const auto &table : tables)
        for (std::size_t bucket = 0; bucket < table->size(); bucket += 8) {
            std::uint64_t word = 0;
            for (std::size_t i = bucket; i < std::min(bucket + 8, table->size()); ++i)
                word = word << 8 | index((*table)[i]);
            sum = mix(sum ^ word) + bucket;
        }
    return sum;
}

} // namespace heartbeat
