// SPDX-License-Identifier: Apache-2.0
// View -> owner tables -> this node's buckets, with the difference to what was served before.
#include "agent/node/serving.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

namespace agent {
namespace {

unsigned count(const filter::BucketSet &set) {
    return std::accumulate(set.begin(), set.end(), 0u, [](unsigned sum, std::uint64_t word) {
        return sum + static_cast<unsigned>(std::popcount(word));
    });
}

filter::Table table_of(const heartbeat::OwnerTable &owners, heartbeat::NodeId self) {
    filter::Table table;
    for (std::size_t bucket = 0; bucket < owners.size(); ++bucket) {
        if (owners[bucket] == self) table.mine[bucket / 64] |= std::uint64_t{1} << bucket % 64;
        table.has_owner |= owners[bucket] != heartbeat::kNoNode;
    }
    return table;
}

bool serves_uncovered(const filter::Tables &tables) { return tables.back().mine[0] & 1; }

// Adds the groups in which `before` has a bucket that `after` has not.
void add_lost(filter::GroupSet &lost, const filter::BucketSet &before,
              const filter::BucketSet &after) {
    for (std::size_t word = 0; word < before.size(); ++word)
        for (std::uint64_t gone = before[word] & ~after[word]; gone; gone &= gone - 1) {
            const std::size_t bucket = word * 64 + static_cast<std::size_t>(std::countr_zero(gone));
            const std::size_t group = bucket / filter::kBucketsPerGroup;
            lost[group / 64] |= std::uint64_t{1} << group % 64;
        }
}

} // namespace

Serving::Serving(heartbeat::NodeId self, const std::vector<heartbeat::NodeId> &nodes,
                 std::vector<heartbeat::RuleOwnership> rules, heartbeat::RuleBits refusing,
                 std::vector<heartbeat::Received> received)
    : self_(self), rules_(rules), refusing_(refusing), received_(std::move(received)),
      ownership_(std::make_unique<heartbeat::Ownership>(std::move(rules), filter::kBuckets)),
      owned_(rules_.size() + 1), tables_(rules_.size() + 1) {
    prepare(nodes); // now, and not in the middle of the first takeover
}

void Serving::prepare(const std::vector<heartbeat::NodeId> &nodes) { ownership_->prepare(nodes); }

bool Serving::consider(const heartbeat::View &view) {
    if (view_ == view) return false;
    owners_ = ownership_->tables(view);
    view_ = view;
    receivers_ = heartbeat::receivers(view, received_);
    count_owned();
    count_shares();
    return true;
}

// Rules with the same weights and the same members have one table, which is counted once.
void Serving::count_owned() {
    owned_.assign(owners_.size(), Owned{});
    for (std::size_t rule = 0; rule < owners_.size(); ++rule) {
        const auto same = std::find(owners_.begin(), owners_.begin() + static_cast<std::ptrdiff_t>(rule),
                                    owners_[rule]);
        const auto first = static_cast<std::size_t>(same - owners_.begin());
        if (first < rule)
            owned_[rule] = owned_[first];
        else
            for (heartbeat::NodeId id : *owners_[rule])
                ++owned_[rule][heartbeat::index(id)];
    }
}

// Over the rules that are shared; where there is none, over the uncovered traffic.
void Serving::count_shares() {
    const bool shared = std::ranges::any_of(
        rules_, [](const auto &rule) { return rule.mode == heartbeat::RuleMode::multiple; });
    shares_ = {};
    double all = 0;
    for (std::size_t rule = 0; rule < owners_.size(); ++rule) {
        const bool uncovered = rule == rules_.size();
        if (uncovered ? shared : rules_[rule].mode != heartbeat::RuleMode::multiple) continue;
        for (std::size_t id = 0; id < shares_.size(); ++id)
            shares_[id] += owned_[rule][id];
        all += static_cast<double>(owners_[rule]->size());
    }
    for (double &share : shares_)
        share /= all;
}

filter::Tables Serving::own_tables() const {
    filter::Tables tables;
    for (const auto &owners : owners_)
        tables.push_back(table_of(*owners, self_));
    return tables;
}

// One for all: the default host.
void Serving::decide_who_refuses(filter::Tables &tables) const {
    const bool here = serves_uncovered(tables);
    for (std::size_t rule = 0; rule < rules_.size(); ++rule)
        tables[rule].refuses = here && !tables[rule].has_owner && (refusing_ >> rule & 1);
}

Serving::Change Serving::replace(filter::Tables next) {
    Change change;
    decide_who_refuses(next);
    for (std::size_t i = 0; i < tables_.size(); ++i) {
        change.tables |= tables_[i].mine != next[i].mine ||
                         tables_[i].has_owner != next[i].has_owner ||
                         tables_[i].refuses != next[i].refuses;
        add_lost(change.lost, tables_[i].mine, next[i].mine);
    }
    tables_ = std::move(next);
    return change;
}

Serving::Change Serving::apply(const heartbeat::Action &action) {
    if (const auto *serve = std::get_if<heartbeat::action::Serve>(&action)) {
        consider(serve->view);
        digest_ = heartbeat::digest(owners_);
        receives_ = receives();
        return replace(own_tables());
    }
    filter::Tables next = tables_;
    if (const auto *release = std::get_if<heartbeat::action::Release>(&action)) {
        consider(release->view);
        digest_ = heartbeat::digest(owners_);
        receives_ &= receives();
        next = own_tables();
        for (std::size_t i = 0; i < next.size(); ++i)
            for (std::size_t word = 0; word < next[i].mine.size(); ++word)
                next[i].mine[word] &= tables_[i].mine[word];
    } else {
        receives_ = 0;
        for (filter::Table &table : next)
            table.mine = {};
    }
    return replace(std::move(next));
}

filter::GroupSet Serving::not_served(const std::vector<filter::BucketSet> &buckets) const {
    filter::GroupSet groups{};
    for (std::size_t i = 0; i < std::min(buckets.size(), tables_.size()); ++i)
        add_lost(groups, buckets[i], tables_[i].mine);
    return groups;
}

void Serving::configure(std::vector<heartbeat::RuleOwnership> rules, heartbeat::RuleBits refusing,
                        const std::vector<std::optional<std::size_t>> &former,
                        std::vector<heartbeat::Received> received) {
    filter::Tables kept;
    for (const std::optional<std::size_t> &table : former)
        kept.push_back(table ? tables_[*table] : filter::Table{});
    tables_ = std::move(kept);
    rules_ = rules;
    refusing_ = refusing;
    received_ = std::move(received);
    receivers_.clear();
    receives_ = 0; // until the next action: the bits are other addresses'
    ownership_->set_rules(std::move(rules));
    view_.reset();
    owners_.clear();
    owned_.assign(rules_.size() + 1, Owned{});
}

bool Serving::serves_nothing() const {
    return std::ranges::all_of(tables_, [](const filter::Table &table) { return table.mine == filter::BucketSet{}; });
}

std::vector<unsigned> Serving::buckets() const {
    std::vector<unsigned> counts;
    for (const filter::Table &table : tables_)
        counts.push_back(count(table.mine));
    return counts;
}

std::uint32_t Serving::receives() const {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < receivers_.size(); ++i)
        if (receivers_[i] == self_) bits |= 1u << i;
    return bits;
}

std::uint32_t Serving::answered() const {
    if (forwards()) return receives_;
    return default_host() ? ~0u : 0;
}

heartbeat::NodeId Serving::receiver(std::size_t virtual_ip) const {
    return virtual_ip < receivers_.size() ? receivers_[virtual_ip] : heartbeat::kNoNode;
}

filter::Numbers Serving::numbers() const {
    filter::Numbers all;
    if (owners_.empty()) return all;
    const heartbeat::NodeId default_host = owners_.back()->front();
    for (std::size_t rule = 0; rule < owners_.size(); ++rule) {
        auto &table = all.emplace_back();
        for (const heartbeat::NodeId id : *owners_[rule])
            table.push_back(static_cast<std::uint8_t>(heartbeat::index(id)));
        if (rule < rules_.size() && owned_[rule][0] == table.size() && (refusing_ >> rule & 1))
            std::ranges::fill(table, static_cast<std::uint8_t>(heartbeat::index(default_host)));
    }
    return all;
}

bool Serving::default_host() const { return serves_uncovered(tables_); }

heartbeat::NodeId Serving::owner(std::size_t rule, unsigned bucket) const {
    return rule < owners_.size() ? (*owners_[rule])[bucket] : heartbeat::kNoNode;
}

unsigned Serving::weight(std::size_t rule, heartbeat::NodeId id) const {
    return view_ ? ownership_->weight(*view_, rule, id) : 0;
}

} // namespace agent
