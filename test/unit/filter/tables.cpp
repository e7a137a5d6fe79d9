// SPDX-License-Identifier: Apache-2.0
// The class tables against the naive way: walk over the rules and take the one that covers the
// packet. Random sets of rules that do not overlap, every port.
#include "filter/tables.hpp"

#include <arpa/inet.h>
#include <array>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <memory>
#include <random>
#include <set>

BOOST_AUTO_TEST_SUITE(filter_tables)

namespace {

using namespace filter;

bool overlap(const Rule &a, const Rule &b) {
    return ((a.tcp && b.tcp) || (a.udp && b.udp)) && (a.virtual_ips & b.virtual_ips) != 0 &&
           a.first_port <= b.last_port && b.first_port <= a.last_port;
}

using Random = std::mt19937;

unsigned below(Random &random, unsigned bound) { return static_cast<unsigned>(random() % bound); }

Rule random_rule(Random &random) {
    Rule rule;
    unsigned protocols = below(random, 3) + 1;
    rule.tcp = protocols & 1;
    rule.udp = protocols & 2;
    rule.virtual_ips = below(random, 2) == 0 ? ~0u : static_cast<std::uint32_t>(random());
    unsigned first = below(random, 65536), width = below(random, 4) == 0 ? 0 : below(random, 3000);
    unsigned last = below(random, 8) == 0 ? 65535 : std::min(65535u, first + width);
    rule.first_port = static_cast<std::uint16_t>(first);
    rule.last_port = static_cast<std::uint16_t>(last);
    return rule;
}

std::vector<Rule> random_rules(Random &random) {
    std::vector<Rule> rules;
    for (int tries = 0; tries < 400 && rules.size() < kMaxRules; tries++) {
        Rule rule = random_rule(random);
        bool free = true;
        for (const Rule &other : rules)
            free = free && !overlap(rule, other);
        if (free) rules.push_back(rule);
    }
    return rules;
}

// Of each virtual IP, the first rule that covers the port.
std::array<unsigned, kMaxVirtualIps> naive(const std::vector<Rule> &rules, int protocol, unsigned port) {
    std::array<unsigned, kMaxVirtualIps> found;
    found.fill(NLB_UNCOVERED);
    std::uint32_t uncovered = ~0u;
    for (unsigned i = 0; i < rules.size(); i++) {
        if (!(protocol == NLB_TCP ? rules[i].tcp : rules[i].udp) || port < rules[i].first_port ||
            port > rules[i].last_port)
            continue;
        for (std::uint32_t ips = rules[i].virtual_ips & uncovered; ips; ips &= ips - 1)
            found[static_cast<unsigned>(std::countr_zero(ips))] = i;
        uncovered &= ~rules[i].virtual_ips;
    }
    return found;
}

Settings settings_of(std::vector<Rule> rules, std::vector<IpAddress> addresses) {
    Settings settings;
    settings.rules = std::move(rules);
    settings.virtual_ips = std::move(addresses);
    return settings;
}

} // namespace

BOOST_AUTO_TEST_CASE(every_port_finds_the_rule_that_covers_it) {
    Random random(7);
    for (int round = 0; round < 8; round++) {
        std::vector<Rule> rules = random_rules(random);
        auto config = std::make_unique<nlb_config>();
        write_config(settings_of(rules, {*parse_ip("192.0.2.1")}), *config);
        std::size_t wrong = 0;
        for (int protocol : {NLB_TCP, NLB_UDP})
            for (unsigned port = 0; port < 65536; port++) {
                const auto found = naive(rules, protocol, port);
                const unsigned *wanted = found.data(); // compiled without optimisation
                const auto group = config->port_class[protocol][htons(static_cast<std::uint16_t>(port))];
                for (unsigned ip = 0; ip < kMaxVirtualIps; ip++)
                    wrong += config->rule_of[ip][protocol][group] != wanted[ip];
            }
        BOOST_TEST(wrong == 0u);
        BOOST_TEST(rules.size() > 8u);
    }
}

BOOST_AUTO_TEST_CASE(ports_of_the_most_scattered_rules_fit_the_classes) {
    std::vector<Rule> rules(kMaxRules);
    for (unsigned i = 0; i < kMaxRules; i++) {
        rules[i].tcp = true;
        rules[i].first_port = rules[i].last_port = static_cast<std::uint16_t>(2000 * i + 1);
    }
    auto config = std::make_unique<nlb_config>();
    write_config(settings_of(rules, {}), *config);
    std::set<int> classes(config->port_class[NLB_TCP], config->port_class[NLB_TCP] + 65536);
    BOOST_TEST(classes.size() == 65u);
    BOOST_TEST(*classes.rbegin() < NLB_CLASSES);
}

BOOST_AUTO_TEST_CASE(thirty_two_virtual_ips_of_both_families_have_a_slot_each) {
    Random random(11);
    for (int round = 0; round < 50; round++) {
        std::vector<IpAddress> addresses;
        for (unsigned i = 0; i < kMaxVirtualIps; i++) {
            IpAddress address = *parse_ip(i % 2 == 0 ? "192.0.2.0" : "fd00::");
            address.bytes[i % 2 == 0 ? 3 : 15] = static_cast<std::uint8_t>(i);
            if (round > 0) // neighbours first, then anything
                address.bytes[1] = static_cast<std::uint8_t>(random());
            addresses.push_back(address);
        }
        auto config = std::make_unique<nlb_config>();
        write_config(settings_of({}, addresses), *config);
        for (unsigned i = 0; i < kMaxVirtualIps; i++) {
            __u64 words[2];
            std::memcpy(words, addresses[i].bytes.data(), sizeof words);
            const nlb_slot &slot = config->slots[nlb_slot_of(config->slot_multiplier, words)];
            BOOST_TEST(slot.index == i);
            BOOST_TEST(slot.family == (addresses[i].is_v4() ? 4 : 6));
        }
    }
}

BOOST_AUTO_TEST_CASE(what_the_layout_cannot_hold_is_refused) {
    auto config = std::make_unique<nlb_config>();
    IpAddress one = *parse_ip("192.0.2.1");
    BOOST_CHECK_THROW(write_config(settings_of({}, {one, one}), *config), std::runtime_error);
    BOOST_CHECK_THROW(write_config(settings_of(std::vector<Rule>(33), {}), *config),
                      std::runtime_error);
    auto owners = std::make_unique<nlb_owners>();
    BOOST_CHECK_THROW(write_owners(Tables(2), 2, *owners), std::logic_error);
}

// The buffer has held tables of more rules: none of them may come back with a later configuration.
BOOST_AUTO_TEST_CASE(owners_hold_nothing_of_earlier_tables) {
    auto owners = std::make_unique<nlb_owners>();
    Table everything;
    everything.mine.fill(~std::uint64_t{0});
    everything.has_owner = true;
    write_owners(Tables(4, everything), 3, *owners);
    write_owners(Tables(2), 1, *owners);
    for (const auto &table : owners->mine)
        for (const std::uint64_t word : table)
            BOOST_REQUIRE(word == 0u);
    for (const auto served : owners->served)
        BOOST_TEST(served == NLB_BY_NOBODY);
}

BOOST_AUTO_TEST_CASE(reasons_have_distinct_names_and_passing_ones_come_first) {
    std::set<std::string_view> names;
    bool dropping = false;
    for (std::uint32_t reason = 0; reason < NLB_REASONS; reason++) {
        BOOST_TEST(names.insert(reason_name(reason)).second);
        BOOST_TEST((drops(reason) || !dropping));
        dropping = drops(reason);
    }
    BOOST_TEST(reason_name(NLB_UNFILTERED) == "unfiltered");
    for (std::uint32_t none = NLB_REASONS; none < 1u << NLB_REASON_BITS; none++)
        BOOST_TEST(reason_name(none) == "unknown");
}

BOOST_AUTO_TEST_SUITE_END()
