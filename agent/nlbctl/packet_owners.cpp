// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/packet_owners.hpp"

#include "agent/nlbctl/nodes.hpp"

#include <utility>

namespace agent {
namespace {

using heartbeat::NodeId;

constexpr auto kLastMode = heartbeat::RuleMode::disabled;
constexpr unsigned kMostWeight = 100;

// What an agent cannot have said: its owners cannot be worked out.
[[noreturn]] void refuse() { throw UnknownReply(); }

std::uint8_t number(const Json &told, std::uint64_t least, std::uint64_t most) {
    const auto value = told.get<std::uint64_t>();
    if (value < least || value > most) refuse();
    return static_cast<std::uint8_t>(value);
}

NodeId node_id(const Json &told) { return NodeId{number(told, 1, heartbeat::kMaxNodes)}; }

const Json &list(const Json &told, std::size_t most) {
    if (!told.is_array() || told.size() > most) refuse();
    return told;
}

heartbeat::RuleOwnership rule_from(const Json &told) {
    heartbeat::RuleOwnership rule;
    rule.mode = static_cast<heartbeat::RuleMode>(
        number(told.at("mode"), 0, static_cast<unsigned>(kLastMode)));
    for (const Json &weight : list(told.at("weights"), heartbeat::kMaxNodes))
        rule.weights[node_id(weight.at(0))] = number(weight.at(1), 0, kMostWeight);
    for (const Json &id : list(told.at("priority"), heartbeat::kMaxNodes))
        rule.priority.push_back(node_id(id));
    return rule;
}

heartbeat::View view_from(const Json &told) {
    heartbeat::View view;
    for (const Json &member : list(told, heartbeat::kMaxNodes)) {
        const NodeId id = node_id(member.at("id"));
        if (!view.members.empty() && id <= view.members.back().id) refuse();
        view.members.push_back({id, 1, number(member.at("weight"), 0, kMostWeight),
                                member.at("eligible").get<heartbeat::RuleBits>()});
    }
    return view;
}

} // namespace

void PacketOwners::update(const Json &source) {
    const Json &told = source.at("owners");
    if (told == known_) return;
    rules_.clear();
    nodes_.clear();
    std::vector<heartbeat::RuleOwnership> ownership;
    for (const Json &rule : list(told.at("rules"), heartbeat::kMaxRules)) {
        rules_.push_back(rule.at("name"));
        ownership.push_back(rule_from(rule));
    }
    for (const Json &node : list(told.at("nodes"), heartbeat::kMaxNodes))
        nodes_[node_id(node.at("id"))] = node.at("name");
    owners_ = heartbeat::Ownership(std::move(ownership)).tables(view_from(told.at("members")));
    known_ = told;
}

std::optional<std::string> PacketOwners::rule(const filter::Verdict &verdict) const {
    const auto place = static_cast<std::size_t>(verdict.rule);
    if (verdict.rule < 0 || place >= rules_.size()) return std::nullopt;
    return rules_[place];
}

std::optional<std::string> PacketOwners::owner(const filter::Verdict &verdict) const {
    if (verdict.bucket < 0 || owners_.empty()) return std::nullopt;
    const std::size_t place =
        verdict.rule < 0 ? owners_.size() - 1 : static_cast<std::size_t>(verdict.rule);
    if (place >= owners_.size()) return std::nullopt;
    const heartbeat::OwnerTable &table = *owners_[place];
    const auto bucket = static_cast<std::size_t>(verdict.bucket);
    const auto named = bucket < table.size() ? nodes_.find(table[bucket]) : nodes_.end();
    return named == nodes_.end() ? std::nullopt : std::optional(named->second);
}

std::string verdict_text(const filter::Verdict &verdict, const PacketOwners &owners) {
    std::string text = (verdict.drop ? "drop " : "pass ") + std::string(verdict.reason);
    if (const auto rule = owners.rule(verdict))
        text += ": rule " + *rule;
    else
        text += verdict.bucket < 0 ? ": no rule" : ": uncovered";
    if (verdict.bucket < 0) return text;
    return text + ", bucket " + std::to_string(verdict.bucket) + ", owner " +
           owners.owner(verdict).value_or("no node");
}

} // namespace agent
