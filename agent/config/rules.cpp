// SPDX-License-Identifier: Apache-2.0
//
// Port rules. No two rules may cover the same packet, so neither their order nor a priority among
// them matters.
#include "agent/config/sections.hpp"
#include "agent/config/words.hpp"

#include <algorithm>
#include <charconv>

namespace agent {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view digits) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return port;
}

void read_ports(const Field &field, RuleConfig &rule) {
    constexpr const char *must_be =
        R"(a string: a port such as "80", a range such as "8000-8999", or "any")";
    const std::string written = text(field, must_be);
    if (written == "any") return; // from 0 to 65535, as Config says
    const std::size_t dash = written.find('-');
    const auto first = parse_port(std::string_view(written).substr(0, dash));
    const auto last =
        dash == std::string::npos ? first : parse_port(std::string_view(written).substr(dash + 1));
    if (!first || !last)
        field.refuse(shown(written) + " is not a port or range within 0 to 65535, must be " + must_be);
    if (*last == 0)
        field.refuse(shown(written) + " is not a valid port, must be 1 to 65535, a range, or \"any\"");
    if (*first > *last)
        field.refuse(shown(written) + " is not a valid range, the first port must not be above the last");
    rule.first_port = *first;
    rule.last_port = *last;
}

std::vector<filter::IpAddress> read_rule_addresses(const Field &field, const Config &config) {
    std::vector<filter::IpAddress> chosen;
    Unique unique;
    for (const Field &item : list(field)) {
        chosen.push_back(address(item));
        unique.claim(item, to_string(chosen.back()));
        if (std::find(config.virtual_ips.begin(), config.virtual_ips.end(), chosen.back()) ==
            config.virtual_ips.end())
            item.refuse(to_string(chosen.back()) +
                        " is not a virtual IP, must be the address of a [[virtual_ip]]");
    }
    std::vector<filter::IpAddress>
        ordered; // as in the list of virtual IPs: the order here means nothing
    for (const filter::IpAddress &virtual_ip : config.virtual_ips)
        if (std::find(chosen.begin(), chosen.end(), virtual_ip) != chosen.end())
            ordered.push_back(virtual_ip);
    return ordered;
}

std::uint8_t node_id(const Field &field, std::string_view node_name, const Config &config) {
    std::vector<std::string_view> names;
    for (const NodeConfig &node : config.nodes) {
        if (node.name == node_name) return node.id;
        names.push_back(node.name);
    }
    field.refuse(shown(node_name) + " is not a node, must be " + one_of(names));
}

std::map<std::uint8_t, std::uint8_t> read_weights(const Field &field, const Config &config) {
    std::map<std::uint8_t, std::uint8_t> weights;
    const Section table(field);
    for (const TomlValue::Member &member : field.value->members) {
        const Field weight = *table.find(member.key);
        weights[node_id(weight, member.key, config)] =
            static_cast<std::uint8_t>(integer(weight, 0, 100));
    }
    return weights;
}

std::vector<std::uint8_t> read_priority(const Field &field, const RuleConfig &rule,
                                        const Config &config) {
    if (rule.mode != RuleMode::single)
        field.refuse("has no use in this mode; leave it out, or set mode = \"single\"");
    std::vector<std::uint8_t> priority;
    Unique unique;
    for (const Field &item : list(field)) {
        const std::string node = text(item, "the name of a node");
        priority.push_back(node_id(item, node, config));
        unique.claim(item, node);
    }
    return priority;
}

bool overlap(Protocol a, Protocol b) {
    return a == b || a == Protocol::both || b == Protocol::both;
}

std::optional<filter::IpAddress> common_address(const RuleConfig &a, const RuleConfig &b,
                                                const Config &config) {
    const auto covers = [](const RuleConfig &rule, const filter::IpAddress &address) {
        return rule.virtual_ips.empty() ||
               std::find(rule.virtual_ips.begin(), rule.virtual_ips.end(), address) !=
                   rule.virtual_ips.end();
    };
    for (const filter::IpAddress &address : config.virtual_ips)
        if (covers(a, address) && covers(b, address)) return address;
    return std::nullopt;
}

} // namespace

RuleConfig read_rule(const Field &table, const Config &config) {
    constexpr std::string_view keys[] = {"name",     "virtual_ips",  "protocol", "ports",
                                         "mode",     "affinity",     "health",   "weights",
                                         "priority", "when_all_down"};
    const Section section(table);
    section.only(keys);
    RuleConfig rule;
    rule.name = name(section.need("name", "a name that no other rule has"));
    if (const auto addresses = section.find("virtual_ips"))
        rule.virtual_ips = read_rule_addresses(*addresses, config);
    rule.protocol =
        static_cast<Protocol>(choice(section.need("protocol", one_of(kProtocols)), kProtocols));
    read_ports(
        section.need("ports", R"(a port such as "80", a range such as "8000-8999", or "any")"),
        rule);
    if (const auto mode = section.find("mode"))
        rule.mode = static_cast<RuleMode>(choice(*mode, kRuleModes));
    if (const auto affinity = section.find("affinity"))
        rule.affinity = static_cast<filter::Affinity>(choice(*affinity, kAffinities));
    rule.health = default_health(rule.protocol == Protocol::udp ? HealthType::none
                                                                : HealthType::listener);
    if (const auto health = section.find("health")) rule.health = read_health(*health, rule);
    if (const auto when = section.find("when_all_down"))
        rule.when_all_down = static_cast<WhenAllDown>(choice(*when, kWhenAllDown));
    if (const auto weights = section.find("weights")) rule.weights = read_weights(*weights, config);
    if (const auto priority = section.find("priority"))
        rule.priority = read_priority(*priority, rule, config);
    return rule;
}

void refuse_overlap(const Field &table, const RuleConfig &rule, const Config &config) {
    for (const RuleConfig &other : config.rules) {
        const auto address = common_address(rule, other, config);
        const int first = std::max(rule.first_port, other.first_port);
        const int last = std::min(rule.last_port, other.last_port);
        if (!address || !overlap(rule.protocol, other.protocol) || first > last) continue;
        const Protocol common = rule.protocol == Protocol::both ? other.protocol : rule.protocol;
        Section(table)
            .need("ports", "")
            .refuse("overlaps rule " + toml_string(other.name) + " (" + to_string(*address) +
                    ", protocol " + std::string(to_string(common)) + ", port " +
                    std::to_string(first) + (first == last ? "" : " to " + std::to_string(last)) +
                    "), rules must differ in virtual IPs, protocol or ports");
    }
}

} // namespace agent
