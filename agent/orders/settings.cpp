// SPDX-License-Identifier: Apache-2.0
// Plain translation, field by field. The configuration has been checked as a whole before it gets
// here.
#include "agent/orders/settings.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace agent {
namespace {

std::uint32_t virtual_ip_bits(const Config &config, const RuleConfig &rule) {
    if (rule.virtual_ips.empty()) return ~0u;
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < config.virtual_ips.size(); ++i)
        if (std::ranges::count(rule.virtual_ips, config.virtual_ips[i])) bits |= 1u << i;
    return bits;
}

filter::Rule filter_rule(const Config &config, const RuleConfig &rule, const Orders &orders) {
    filter::Rule result;
    result.tcp = rule.protocol != Protocol::udp;
    result.udp = rule.protocol != Protocol::tcp;
    result.first_port = rule.first_port;
    result.last_port = rule.last_port;
    result.virtual_ips = virtual_ip_bits(config, rule);
    result.affinity = rule.affinity;
    result.disabled = is_disabled(rule, orders);
    return result;
}

heartbeat::Address beat_address(const filter::IpAddress &address) { return {address.bytes, !address.is_v4()}; }

// Section digests are evenly spread already: rotating and multiplying keeps their order
// significant.
heartbeat::Digest combine(const std::vector<SectionDigest> &sections) {
    heartbeat::Digest sum = sections.size();
    for (const SectionDigest &section : sections)
        sum = std::rotl(sum * 0x9e3779b97f4a7c15ULL, 29) ^ section.digest;
    return sum;
}

} // namespace

filter::Settings filter_settings(const Config &config, const ClusterKey &key,
                                 const Orders &orders) {
    filter::Settings settings;
    settings.virtual_ips = config.virtual_ips;
    for (const RuleConfig &rule : config.rules)
        settings.rules.push_back(filter_rule(config, rule, orders));
    settings.cluster_mac = cluster_mac(config);
    settings.hash_key = hash_key(key);
    settings.forward = config.delivery == Delivery::forward;
    return settings;
}

heartbeat::Envelope beat_envelope(const Config &config, const ClusterKeys &keys) {
    return heartbeat::make_envelope(config.cluster_name, beat_key(keys.in_use),
                                    keys.other ? std::optional(beat_key(*keys.other)) : std::nullopt);
}

heartbeat::Transport::Settings beat_sockets(const Config &config, const ClusterKeys &keys) {
    return {beat_address(config.group), beat_address(config.group6), config.port,
            beat_envelope(config, keys).cluster};
}

heartbeat::Transport::Addresses beat_addresses(const Config &config, const NodeConfig &self) {
    heartbeat::Transport::Addresses addresses;
    for (const NodeConfig &node : config.nodes)
        for (const filter::IpAddress &address : node.addresses) {
            if (node.id == self.id)
                addresses.own.push_back(beat_address(address));
            else
                addresses.peers.push_back({node.name, beat_address(address)});
        }
    return addresses;
}

filter::XdpMode xdp_mode(DatapathKind kind) {
    switch (kind) {
    case DatapathKind::xdp_native:
        return filter::XdpMode::native;
    case DatapathKind::xdp_generic:
        return filter::XdpMode::generic;
    default:
        return filter::XdpMode::best;
    }
}

// A drained rule is one that the node may not serve: its buckets go to others, and what is open
// lingers as after any other change. A node with weight 0 in a rule must report that, too;
// otherwise the others could count on it as the only node on which the service works.
heartbeat::RuleBits eligible_rules(const Config &config, const NodeConfig &self,
                                   const Orders &orders) {
    heartbeat::RuleBits bits = ~heartbeat::RuleBits{0};
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
        const auto weight = config.rules[i].weights.find(self.id);
        const bool none = weight != config.rules[i].weights.end() && weight->second == 0;
        if (none || orders.rule(config.rules[i].name)) bits &= ~(heartbeat::RuleBits{1} << i);
    }
    return bits;
}

heartbeat::RuleBits served_when_all_are_down(const Config &config) {
    heartbeat::RuleBits bits = 0;
    for (std::size_t i = 0; i < config.rules.size(); ++i)
        if (config.rules[i].when_all_down == WhenAllDown::serve) bits |= heartbeat::RuleBits{1} << i;
    return bits;
}

heartbeat::Settings membership_settings(const Config &config, const NodeConfig &self,
                                        const ClusterKeys &keys, const Orders &orders) {
    heartbeat::Settings settings;
    settings.self = heartbeat::NodeId{self.id};
    for (const NodeConfig &node : config.nodes) {
        settings.nodes.push_back(heartbeat::NodeId{node.id});
        settings.names.push_back(node.name);
    }
    settings.interval = config.interval;
    settings.dead_after = config.dead_after;
    settings.partition = config.partition;
    settings.witness = config.partition == Partition::serve;
    settings.witness_silent =
        config.witness ? "the witness " + filter::to_string(*config.witness) + " does not answer"
                       : clients_interface(config, self) + " has no link";
    settings.weight = orders.weight.value_or(self.weight);
    settings.eligible = eligible_rules(config, self, orders);
    settings.serve_all_down = served_when_all_are_down(config);
    for (const RuleConfig &rule : config.rules)
        settings.rule_names.push_back(rule.name);
    std::vector<SectionDigest> sections = section_digests(config);
    sections.push_back({"cluster key", fingerprint(keys)}); // a node without any of them is not heard at all
    settings.config = combine(sections);
    for (const SectionDigest &section : sections) {
        settings.section_names.push_back(section.name);
        settings.sections.push_back(static_cast<std::uint16_t>(section.digest));
    }
    return settings;
}

std::vector<heartbeat::RuleOwnership> ownership_rules(const Config &config) {
    std::vector<heartbeat::RuleOwnership> rules;
    for (const RuleConfig &rule : config.rules) {
        heartbeat::RuleOwnership own;
        own.mode = rule.mode;
        for (const auto &[id, weight] : rule.weights)
            own.weights[heartbeat::NodeId{id}] = weight;
        for (std::uint8_t id : rule.priority)
            own.priority.push_back(heartbeat::NodeId{id});
        rules.push_back(std::move(own));
    }
    return rules;
}

// An address is its own key: the first eight bytes, and the last.
std::vector<heartbeat::Received> received(const Config &config) {
    std::vector<heartbeat::Received> all;
    for (std::size_t i = 0; config.delivery == Delivery::forward && i < config.virtual_ips.size(); ++i) {
        heartbeat::Received &one = all.emplace_back();
        std::array<std::uint64_t, 2> words;
        std::memcpy(words.data(), config.virtual_ips[i].bytes.data(), sizeof words);
        one.key = std::rotl(words[0], 32) ^ words[1];
        if (i >= config.receivers.size()) continue;
        for (const std::uint8_t id : config.receivers[i])
            one.pinned.push_back(heartbeat::NodeId{id});
    }
    return all;
}

std::string clients_interface(const Config &config, const NodeConfig &self) {
    return self.interface.value_or(config.interface);
}

std::vector<std::string> heartbeat_interfaces(const Config &config, const NodeConfig &self) {
    if (self.heartbeat_interfaces) return *self.heartbeat_interfaces;
    if (!self.interface) return config.heartbeat_interfaces;
    // Beats go by default where clients come in, and this node calls that interface by another
    // name.
    std::vector<std::string> names = config.heartbeat_interfaces;
    std::ranges::replace(names, config.interface, *self.interface);
    return names;
}

} // namespace agent
