// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/packet_owners.hpp"

#include <utility>

namespace agent {
namespace {

using heartbeat::NodeId;

heartbeat::RuleOwnership rule_from(const Json &told) {
    heartbeat::RuleOwnership rule;
    rule.mode = static_cast<heartbeat::RuleMode>(told["mode"].get<int>());
    for (const Json &weight : told["weights"])
        rule.weights[NodeId{weight[0].get<std::uint8_t>()}] = weight[1];
    for (const Json &id : told["priority"])
        rule.priority.push_back(NodeId{id.get<std::uint8_t>()});
    return rule;
}

heartbeat::View view_from(const Json &told) {
    heartbeat::View view;
    for (const Json &member : told)
        view.members.push_back({NodeId{member["id"].get<std::uint8_t>()}, 1,
                                member["weight"].get<std::uint8_t>(),
                                member["eligible"].get<heartbeat::RuleBits>()});
    return view;
}

} // namespace

void PacketOwners::update(const Json &source) {
    const Json &told = source["owners"];
    if (told == known_) return;
    rules_.clear();
    nodes_.clear();
    std::vector<heartbeat::RuleOwnership> ownership;
    for (const Json &rule : told["rules"]) {
        rules_.push_back(rule["name"]);
        ownership.push_back(rule_from(rule));
    }
    for (const Json &node : told["nodes"])
        nodes_[NodeId{node["id"].get<std::uint8_t>()}] = node["name"];
    owners_ = heartbeat::Ownership(std::move(ownership)).tables(view_from(told["members"]));
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
    const auto named = nodes_.find((*owners_[place])[static_cast<std::size_t>(verdict.bucket)]);
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
           owners.owner(verdict).value_or("nobody");
}

} // namespace agent
