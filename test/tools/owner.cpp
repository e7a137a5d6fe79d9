// SPDX-License-Identifier: Apache-2.0
//
// Tells which node has to answer. The net tests' arbiter: reads a configuration, what `nlbctl
// --json status` says of the members, and flows, one a line; prints each flow's owner (0: none).
// Buckets and owners come from the product's own hashing and ownership code, run here apart from
// any agent: what a node's filter does must agree with it.
//
//     nlb_owner CONFIG STATUS.json        with lines "PROTOCOL SOURCE SPORT DESTINATION DPORT" on
//     standard input
#include "agent/config/config.hpp"
#include "agent/orders/settings.hpp"
#include "filter/bucket.hpp"
#include "heartbeat/ownership.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <stdexcept>

namespace {

using Tables = std::vector<std::shared_ptr<const heartbeat::OwnerTable>>;

struct Flow {
    std::string protocol;
    filter::IpAddress source, destination;
    std::uint16_t sport = 0, dport = 0;
};

filter::IpAddress address(const std::string &text) {
    const auto parsed = filter::parse_ip(text);
    if (!parsed) throw std::runtime_error(text + ": not an address");
    return *parsed;
}

bool read_flow(std::istream &in, Flow &flow) {
    std::string source, destination;
    if (!(in >> flow.protocol >> source >> flow.sport >> destination >> flow.dport)) return false;
    flow.source = address(source);
    flow.destination = address(destination);
    return true;
}

heartbeat::View view_of(const std::string &status_file) {
    std::ifstream file(status_file);
    const nlohmann::json status = nlohmann::json::parse(file);
    heartbeat::View view;
    for (const auto &entry : status.at("members")) {
        const std::string state = entry.at("state");
        if (state != "active" && state != "draining") continue;
        heartbeat::Member member;
        member.id = heartbeat::NodeId{entry.at("id").get<std::uint8_t>()};
        member.life = 1;
        member.weight =
            state == "active" ? entry.at("weight").get<std::uint8_t>() : std::uint8_t{0};
        member.eligible = ~heartbeat::RuleBits{0};
        view.members.push_back(member);
    }
    return view;
}

std::size_t rule_of(const agent::Config &config, const Flow &flow) {
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
        const agent::RuleConfig &rule = config.rules[i];
        const bool protocol = rule.protocol == agent::Protocol::both ||
                              (rule.protocol == agent::Protocol::tcp) == (flow.protocol == "tcp");
        const bool here =
            rule.virtual_ips.empty() || std::ranges::count(rule.virtual_ips, flow.destination);
        if (protocol && here && flow.dport >= rule.first_port && flow.dport <= rule.last_port)
            return i;
    }
    return config.rules.size();
}

void answer(const std::string &config_file, const std::string &status_file) {
    const agent::Config config = agent::load_config(config_file);
    const filter::Settings settings =
        agent::filter_settings(config, agent::load_keys(config.key_file).in_use);
    const filter::Buckets buckets(settings.hash_key);
    heartbeat::Ownership ownership(agent::ownership_rules(config));
    const Tables tables = ownership.tables(view_of(status_file));
    for (Flow flow; read_flow(std::cin, flow);) {
        const std::size_t rule = rule_of(config, flow);
        // All buckets of uncovered traffic have the same owner.
        const unsigned bucket = rule < config.rules.size()
                                    ? buckets.of(settings.rules[rule].affinity, flow.source, flow.sport)
                                    : 0;
        std::cout << heartbeat::index((*tables.at(rule))[bucket]) << '\n';
    }
}

} // namespace

int main(int count, char **arguments) {
    if (count != 3) {
        std::cerr << "usage: nlb_owner CONFIG STATUS.json < FLOWS\n";
        return 2;
    }
    try {
        answer(arguments[1], arguments[2]);
        return 0;
    } catch (const std::exception &error) {
        std::cerr << "nlb_owner: " << error.what() << '\n';
        return 1;
    }
}
