// SPDX-License-Identifier: Apache-2.0
#include "agent/report/translations.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <string_view>

namespace agent {
namespace {

constexpr std::size_t kMostFound = 32;
constexpr std::string_view kTranslates[] = {" dnat ", " redirect", "xt target \"DNAT\"",
                                            "xt target \"REDIRECT\""};

struct Range {
    unsigned first = 0, last = 0;
};

// The values behind a word of the line: one value, or those of "{ 80, 443 }". Empty: the word is
// missing.
std::vector<std::string> values_behind(const std::string &line, const std::string &word) {
    const auto at = line.find(word + " ");
    if (at == std::string::npos) return {};
    std::string rest = line.substr(at + word.size() + 1);
    if (rest.starts_with("{"))
        rest = rest.substr(1, rest.find('}') - 1);
    else
        rest = rest.substr(0, rest.find(' '));
    std::vector<std::string> values;
    std::istringstream stream(rest);
    for (std::string value; std::getline(stream, value, ',');) {
        std::erase(value, ' ');
        if (!value.empty()) values.push_back(value);
    }
    return values;
}

// "80" or "8000-8999"; anything else covers every port, because none can be ruled out.
Range range_of(const std::string &text) {
    Range range;
    const char *end = text.data() + text.size();
    auto parsed = std::from_chars(text.data(), end, range.first);
    if (parsed.ec != std::errc()) return {0, 65535};
    range.last = range.first;
    if (parsed.ptr != end && *parsed.ptr == '-')
        parsed = std::from_chars(parsed.ptr + 1, end, range.last);
    return parsed.ec == std::errc() && parsed.ptr == end ? range : Range{0, 65535};
}

bool concerns_ports(const std::string &line, const RuleConfig &rule) {
    const auto ports = values_behind(line, "dport");
    if (ports.empty()) return true;
    return std::ranges::any_of(ports, [&](const std::string &text) {
        const Range range = range_of(text);
        return range.first <= rule.last_port && rule.first_port <= range.last;
    });
}

bool concerns_addresses(const std::string &line,
                        const std::vector<filter::IpAddress> &virtual_ips) {
    const auto addresses = values_behind(line, "daddr");
    if (addresses.empty()) return true;
    return std::ranges::any_of(addresses, [&](const std::string &text) {
        const auto address = filter::parse_ip(text);
        return !address || std::ranges::count(virtual_ips, *address) >
                               0; // a network, a name: cannot be ruled out
    });
}

bool concerns_protocol(const std::string &line, const RuleConfig &rule) {
    const bool tcp = line.find("tcp dport") != std::string::npos,
               udp = line.find("udp dport") != std::string::npos;
    return !((tcp && !udp && rule.protocol == Protocol::udp) ||
             (udp && !tcp && rule.protocol == Protocol::tcp));
}

bool translates(const std::string &line) {
    return std::ranges::any_of(kTranslates, [&](std::string_view word) {
        return (line + " ").find(word) != std::string::npos;
    });
}

} // namespace

std::vector<Translation> find_translations(const std::string &ruleset, const Config &config) {
    std::vector<Translation> found;
    std::istringstream stream(ruleset);
    for (std::string line; std::getline(stream, line) && found.size() < kMostFound;) {
        line.erase(0, line.find_first_not_of(" \t"));
        if (line.starts_with("#") || !translates(" " + line)) continue;
        for (const RuleConfig &rule : config.rules)
            if (rule.mode != RuleMode::disabled && concerns_ports(line, rule) &&
                concerns_protocol(line, rule) &&
                concerns_addresses(line, rule.virtual_ips.empty() ? config.virtual_ips
                                                                  : rule.virtual_ips))
                found.push_back({rule.name, line});
    }
    return found;
}

} // namespace agent
