// SPDX-License-Identifier: Apache-2.0
// Words into values: see the header.
#include "agent/control/arguments.hpp"

#include "agent/base/endpoint.hpp"

#include <algorithm>
#include <charconv>

namespace agent {
namespace {

std::optional<std::int64_t> number(const std::string &text, std::int64_t most) {
    std::int64_t value = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value < 0 || value > most)
        return std::nullopt;
    return value;
}

const std::string &only(const Commands::Arguments &args, const char *what) {
    if (args.size() != 1) throw Failed(std::string("expected ") + what + ", alone");
    return args[0];
}

bool is_of(const RuleConfig &rule, const Endpoint &place) {
    return rule.virtual_ips.empty() || std::ranges::count(rule.virtual_ips, place.address);
}

std::vector<std::size_t> rules_at(const Endpoint &place, const Config &config) {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
        const RuleConfig &rule = config.rules[i];
        if (!is_of(rule, place) || place.port < rule.first_port || place.port > rule.last_port)
            continue;
        const std::size_t shared_by =
            rule.virtual_ips.empty() ? config.virtual_ips.size() : rule.virtual_ips.size();
        if (shared_by > 1)
            throw Denied("rule " + rule.name +
                          " covers other virtual IPs as well: name it, or "
                          "give this one a rule of its own");
        found.push_back(i);
    }
    return found;
}

} // namespace

std::int64_t parse_seconds(const std::string &text) {
    if (const auto seconds = number(text, kLongestDrain)) return *seconds;
    throw Failed("drain: " + text + " is not a valid time-out, must be 0 to " +
                 std::to_string(kLongestDrain) + " seconds");
}

std::vector<std::size_t> find_rules(const Commands::Arguments &args, const Config &config) {
    const std::string &wanted = only(args, "a rule");
    const auto named = std::ranges::find(config.rules, wanted, &RuleConfig::name);
    if (named != config.rules.end())
        return {static_cast<std::size_t>(named - config.rules.begin())};
    std::vector<std::size_t> found;
    if (const auto place = parse_endpoint(wanted)) found = rules_at(*place, config);
    if (found.empty()) throw Denied(wanted + ": no such rule in cluster " + config.cluster_name);
    return found;
}

std::optional<std::uint8_t> parse_weight(const Commands::Arguments &args) {
    const std::string &text = only(args, "a weight");
    if (text == "default") return std::nullopt;
    if (const auto weight = number(text, 100)) return static_cast<std::uint8_t>(*weight);
    throw Failed("weight: " + text + " is not a valid weight, must be 0 to 100, or default");
}

} // namespace agent
