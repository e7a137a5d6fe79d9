// SPDX-License-Identifier: Apache-2.0
//
// Each key is printed by hand, not by a TOML library: the order is that of the documentation, and
// the text is canonical, because the digests by which nodes compare their configurations are taken
// over it.
#include "agent/config/print.hpp"

#include "agent/config/toml.hpp"
#include "agent/config/words.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <span>

namespace agent {
namespace {

template <class Enum>
std::string word(std::span<const std::string_view> words, Enum value) {
    return toml_string(words[static_cast<std::size_t>(value)]);
}

std::string line(std::string_view key, const std::string &value) {
    return std::string(key) + " = " + value + '\n';
}

std::string number(std::string_view key, std::int64_t value) {
    return line(key, std::to_string(value));
}

std::string array(const std::vector<std::string> &words) {
    std::string out = "[";
    for (const std::string &word : words)
        out += (out.size() > 1 ? ", " : "") + toml_string(word);
    return out + ']';
}

std::vector<std::string> texts(const std::vector<filter::IpAddress> &addresses) {
    std::vector<std::string> out;
    for (const filter::IpAddress &address : addresses)
        out.push_back(to_string(address));
    return out;
}

const std::string &node_name(std::uint8_t id, const Config &config) {
    return std::find_if(config.nodes.begin(), config.nodes.end(),
                        [id](const NodeConfig &node) { return node.id == id; })
        ->name;
}

std::string print_weights(const RuleConfig &rule, const Config &config) {
    std::string out;
    for (const auto &[id, weight] : rule.weights)
        out += (out.empty() ? "" : ", ") + toml_string(node_name(id, config)) + " = " +
               std::to_string(weight);
    return "{ " + out + " }";
}

std::string print_status(const std::vector<std::uint16_t> &codes) {
    std::string out;
    for (const std::uint16_t code : codes)
        out += (out.empty() ? "" : ", ") + std::to_string(code);
    return "[" + out + "]";
}

std::string print_health(const HealthConfig &health) {
    const HealthType type = health.type;
    std::string out = "type = " + word(kHealthTypes, type);
    const auto add = [&](std::string_view key, const std::string &value) {
        out += ", " + std::string(key) + " = " + value;
    };
    if (type == HealthType::tcp || type == HealthType::http)
        add("port", std::to_string(health.port));
    if (type == HealthType::http) {
        add("path", toml_string(health.path));
        add("status", print_status(health.status));
        if (health.host) add("host", toml_string(*health.host));
    }
    if (type == HealthType::exec) {
        add("command", array(health.command));
        add("user", toml_string(health.user));
    }
    if (type != HealthType::none && type != HealthType::listener) {
        add("interval_ms", std::to_string(health.interval.count()));
        add("timeout_ms", std::to_string(health.timeout.count()));
        add("rise", std::to_string(health.rise));
        add("fall", std::to_string(health.fall));
    }
    return "{ " + out + " }";
}

std::string print_nodes(const std::vector<std::uint8_t> &ids, const Config &config) {
    std::vector<std::string> names;
    for (const std::uint8_t id : ids)
        names.push_back(node_name(id, config));
    return array(names);
}

// Digests are taken over the printed sections: what prints the same is the same configuration.
std::uint64_t digest(const std::string &text) {
    std::array<unsigned char, crypto_generichash_BYTES_MIN> hash{};
    crypto_generichash(hash.data(), hash.size(),
                       reinterpret_cast<const unsigned char *>(text.data()), text.size(), nullptr,
                       0);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i)
        value = value << 8 | hash[i];
    return value;
}

} // namespace

std::string print_cluster(const Config &config) {
    return "[cluster]\n" + line("name", toml_string(config.cluster_name)) +
           line("interface", toml_string(config.interface)) +
           (config.delivery == Delivery::flood ? line("mac_mode", word(kMacModes, config.mac_mode)) : "") +
           (config.mac ? line("mac", toml_string(filter::to_string(*config.mac))) : "") +
           line("key_file", toml_string(config.key_file)) +
           line("datapath", word(kDatapaths, config.datapath)) +
           line("delivery", word(kDeliveries, config.delivery));
}

std::string print_heartbeat(const Config &config) {
    return "[heartbeat]\n" + line("interfaces", array(config.heartbeat_interfaces)) +
           line("group", toml_string(to_string(config.group))) +
           line("group6", toml_string(to_string(config.group6))) + number("port", config.port) +
           number("interval_ms", config.interval.count()) +
           number("dead_after_ms", config.dead_after.count()) +
           line("partition", word(kPartitions, config.partition)) +
           (config.witness ? line("witness", toml_string(to_string(*config.witness))) : "");
}

std::string print_agent(const Config &config) {
    return "[agent]\n" + number("drain_ms", config.drain.count()) +
           line("log_level", word(kLogLevels, config.log_level));
}

std::string print_announce(const Config &config) { // where there is one
    return "[announce]\n" + number("withdraw_ms", config.announce->count());
}

std::string print_control(const Config &config) {
    return "[control]\n" + number("port", config.control_port);
}

std::string print_metrics(const Config &config) {
    const auto &listen = config.metrics_listen;
    return "[metrics]\n" + (listen ? line("listen", toml_string(to_string(*listen))) : "") +
           (config.metrics_names.empty() ? "" : line("names", array(config.metrics_names)));
}

std::string print_virtual_ips(const Config &config) {
    std::string out;
    for (std::size_t i = 0; i < config.virtual_ips.size(); ++i) {
        if (!out.empty()) out += '\n';
        out += "[[virtual_ip]]\n" + line("address", toml_string(to_string(config.virtual_ips[i])));
        if (i < config.receivers.size() && !config.receivers[i].empty()) out += line("receiver", print_nodes(config.receivers[i], config));
    }
    return out;
}

std::string print_node(const NodeConfig &node) {
    return "[[node]]\n" + number("id", node.id) + line("name", toml_string(node.name)) +
           number("weight", node.weight) +
           (node.interface ? line("interface", toml_string(*node.interface)) : "") +
           (node.datapath ? line("datapath", word(kDatapaths, *node.datapath)) : "") +
           (node.heartbeat_interfaces
                ? line("heartbeat_interfaces", array(*node.heartbeat_interfaces))
                : "") +
           (node.addresses.empty() ? "" : line("address", array(texts(node.addresses))));
}

std::string print_rule(const RuleConfig &rule, const Config &config) {
    return "[[rule]]\n" + line("name", toml_string(rule.name)) +
           (rule.virtual_ips.empty() ? "" : line("virtual_ips", array(texts(rule.virtual_ips)))) +
           line("protocol", word(kProtocols, rule.protocol)) +
           line("ports", toml_string(ports_text(rule))) +
           line("mode", word(kRuleModes, rule.mode)) +
           line("affinity", word(kAffinities, rule.affinity)) +
           line("health", print_health(rule.health)) +
           line("when_all_down", word(kWhenAllDown, rule.when_all_down)) +
           (rule.weights.empty() ? "" : line("weights", print_weights(rule, config))) +
           (rule.priority.empty() ? "" : line("priority", print_nodes(rule.priority, config)));
}

std::string to_toml(const Config &config) {
    std::string out =
        print_cluster(config) + '\n' + print_heartbeat(config) + '\n' + print_control(config) + '\n' + print_agent(config) + '\n' +
        (config.announce ? print_announce(config) + '\n' : "") + print_metrics(config) + '\n';
    for (const NodeConfig &node : config.nodes)
        out += print_node(node) + '\n';
    out += print_virtual_ips(config);
    for (const RuleConfig &rule : config.rules)
        out += '\n' + print_rule(rule, config);
    return out;
}

std::string_view to_string(Protocol protocol) {
    return kProtocols[static_cast<std::size_t>(protocol)];
}
std::string_view to_string(RuleMode mode) { return kRuleModes[static_cast<std::size_t>(mode)]; }
std::string_view to_string(filter::Affinity affinity) {
    return kAffinities[static_cast<std::size_t>(affinity)];
}

std::string ports_text(const RuleConfig &rule) {
    if (rule.first_port == 0 && rule.last_port == 65535) return "any";
    const std::string first = std::to_string(rule.first_port);
    return rule.first_port == rule.last_port ? first : first + '-' + std::to_string(rule.last_port);
}

std::vector<SectionDigest> section_digests(const Config &config) {
    Config shared = config;
    shared.key_file.clear();
    std::vector<SectionDigest> sections = {{"cluster", digest(print_cluster(shared))},
                                           {"heartbeat", digest(print_heartbeat(config))},
                                           {"control", digest(print_control(config))},
                                           {"agent", digest(print_agent(config))},
                                           {"metrics", digest(print_metrics(config))},
                                           {"virtual_ip", digest(print_virtual_ips(config))}};
    if (config.announce) sections.push_back({"announce", digest(print_announce(config))});
    for (const NodeConfig &node : config.nodes)
        sections.push_back({"node " + toml_string(node.name), digest(print_node(node))});
    for (const RuleConfig &rule : config.rules)
        sections.push_back({"rule " + toml_string(rule.name), digest(print_rule(rule, config))});
    return sections;
}

} // namespace agent
