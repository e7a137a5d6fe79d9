// SPDX-License-Identifier: Apache-2.0
#include "agent/capture_source.hpp"

#include "agent/settings.hpp"

namespace agent {
namespace {

using heartbeat::NodeId;

Json view_of(const heartbeat::View &view) {
    Json members = Json::array();
    for (const heartbeat::Member &member : view.members)
        members.push_back({{"id", heartbeat::index(member.id)},
                           {"weight", member.weight},
                           {"eligible", member.eligible}});
    return members;
}

Json rules_of(const Config &config) {
    Json rules = Json::array();
    const auto ownership = ownership_rules(config);
    for (std::size_t i = 0; i < ownership.size(); ++i) {
        Json weights = Json::array(), priority = Json::array();
        for (const auto &[id, weight] : ownership[i].weights)
            weights.push_back({heartbeat::index(id), weight});
        for (const NodeId id : ownership[i].priority)
            priority.push_back(heartbeat::index(id));
        rules.push_back({{"name", config.rules[i].name},
                         {"mode", static_cast<int>(ownership[i].mode)},
                         {"weights", weights},
                         {"priority", priority}});
    }
    return rules;
}

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

Json capture_source(const Config &config, const std::string &interface, Node &node,
                    const filter::Datapath &datapath, heartbeat::Time now) {
    Json nodes = Json::array();
    for (const NodeConfig &one : config.nodes)
        nodes.push_back({{"id", one.id}, {"name", one.name}});
    return {{"interface", interface},
            {"program", datapath.program()},
            {"directory", datapath.shows_in()},
            {"owners",
             {{"nodes", nodes},
              {"rules", rules_of(config)},
              {"members", view_of(node.status(now).view)}}}};
}

void Showing::ask(const Commands::Arguments &args, heartbeat::Time now) {
    static const std::map<std::string, filter::Shown> words = {
        {"nothing", filter::Shown::nothing},
        {"everything", filter::Shown::everything},
        {"accepted", filter::Shown::accepted},
        {"foreign", filter::Shown::foreign}};
    if (args.size() != 2 || !words.contains(args[0]) || args[1].empty())
        throw Failed("capture: expected everything, accepted, foreign or nothing, and who asks");
    expire(now);
    if (!to_.empty() && to_ != args[1])
        throw Refused("capture: another one is running; one at a time");
    const filter::Shown what = words.at(args[0]);
    to_ = what == filter::Shown::nothing ? "" : args[1];
    until_ = now + kHolds;
    datapath_.show(what);
}

void Showing::expire(heartbeat::Time now) {
    if (to_.empty() || now < until_) return;
    to_.clear();
    datapath_.show(filter::Shown::nothing);
}

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
