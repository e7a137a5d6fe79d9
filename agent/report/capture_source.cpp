// SPDX-License-Identifier: Apache-2.0
#include "agent/report/capture_source.hpp"

#include "agent/orders/settings.hpp"
#include "heartbeat/ownership.hpp"

#include <map>

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

} // namespace

Json capture_source(const Config &config, const std::string &interface, Node &node,
                    const filter::Datapath &datapath, heartbeat::Time now) {
    Json nodes = Json::array();
    for (const NodeConfig &one : config.nodes)
        nodes.push_back({{"id", one.id}, {"name", one.name}});
    return {{"interface", interface},
            {"program", datapath.program()},
            {"owners",
             {{"nodes", nodes},
              {"rules", rules_of(config)},
              {"members", view_of(node.status(now).view)}}}};
}

void CaptureSession::ask(const Commands::Arguments &args, heartbeat::Time now) {
    static const std::map<std::string, filter::Shown> words = {
        {"nothing", filter::Shown::nothing},
        {"everything", filter::Shown::everything},
        {"accepted", filter::Shown::accepted},
        {"foreign", filter::Shown::foreign}};
    if (args.size() != 2 || !words.contains(args[0]) || args[1].empty())
        throw Failed("capture: expected everything, accepted, foreign or nothing, and who asks");
    expire(now);
    if (!to_.empty() && to_ != args[1])
        throw Denied("capture: another one is running on this node; wait for its end");
    const filter::Shown what = words.at(args[0]);
    to_ = what == filter::Shown::nothing ? "" : args[1];
    until_ = now + kHolds;
    datapath_.show(what);
}

void CaptureSession::expire(heartbeat::Time now) {
    if (to_.empty() || now < until_) return;
    to_.clear();
    datapath_.show(filter::Shown::nothing);
}

} // namespace agent
