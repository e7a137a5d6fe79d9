// SPDX-License-Identifier: Apache-2.0
// Digests are taken over the printed sections: what prints the same is the same configuration.
#include "agent/config/print.hpp"

#include "agent/config/toml.hpp"

#include <array>
#include <sodium.h>

namespace agent {
namespace {

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

std::vector<SectionDigest> section_digests(const Config &config) {
    Config shared = config;
    shared.key_file.clear();
    std::vector<SectionDigest> sections = {{"cluster", digest(print_cluster(shared))},
                                           {"heartbeat", digest(print_heartbeat(config))},
                                           {"control", digest(print_control(config))},
                                           {"agent", digest(print_agent(config))},
                                           {"metrics", digest(print_metrics(config))},
                                           {"virtual_ip", digest(print_virtual_ips(config))}};
    for (const NodeConfig &node : config.nodes)
        sections.push_back({"node " + toml_string(node.name), digest(print_node(node))});
    for (const RuleConfig &rule : config.rules)
        sections.push_back({"rule " + toml_string(rule.name), digest(print_rule(rule, config))});
    return sections;
}

} // namespace agent
