// SPDX-License-Identifier: Apache-2.0
#include "scenarios.hpp"

#include "filter/tables.hpp"

#include <random>
#include <string>

namespace judges {
namespace {

using filter::Affinity;
using filter::GroupSet;
using filter::Rule;
using filter::Settings;
using filter::Tables;

constexpr std::uint64_t kEvenBits = 0x5555555555555555;

Settings with_rules(std::vector<Rule> rules, const std::vector<const char *> &addresses = {
                                                 "192.0.2.100", "192.0.2.101", "fd00::100"}) {
    Settings settings;
    for (const char *address : addresses)
        settings.virtual_ips.push_back(*filter::parse_ip(address));
    settings.rules = std::move(rules);
    settings.cluster_mac = {0x03, 0xbf, 192, 0, 2, 100};
    for (std::size_t i = 0; i < settings.hash_key.size(); i++)
        settings.hash_key[i] = static_cast<std::uint8_t>(17 * i + 3);
    return settings;
}

Rule rule(bool tcp, bool udp, unsigned first, unsigned last, Affinity affinity = Affinity::single) {
    Rule result;
    result.tcp = tcp;
    result.udp = udp;
    result.first_port = static_cast<std::uint16_t>(first);
    result.last_port = static_cast<std::uint16_t>(last);
    result.affinity = affinity;
    return result;
}

std::vector<Rule> five_rules() {
    std::vector<Rule> rules = {rule(true, false, 80, 80), rule(false, true, 53, 53, Affinity::none),
                               rule(true, true, 8000, 8999, Affinity::network),
                               rule(true, false, 9999, 9999), rule(true, false, 443, 443)};
    rules[3].disabled = true;
    rules[4].virtual_ips = 1u << 1;
    return rules;
}

// As many as there can be, over all ports: nothing on these virtual IPs is uncovered.
std::vector<Rule> thirty_two_rules() {
    std::vector<Rule> rules;
    for (unsigned i = 0; i < filter::kMaxRules; i++)
        rules.push_back(rule(i % 3 != 1, i % 3 != 2, i * 2048, i * 2048 + 2047, Affinity(i % 3)));
    rules[0].tcp = rules[0].udp = true;
    return rules;
}

std::vector<const char *> many_addresses() {
    static const std::vector<std::string> text = [] {
        std::vector<std::string> addresses = {"192.0.2.100", "fd00::100"};
        for (int i = 1; i < 16; i++) {
            addresses.push_back("203.0.113." + std::to_string(i));
            addresses.push_back("2001:db8::" + std::to_string(i));
        }
        return addresses;
    }();
    std::vector<const char *> addresses;
    for (const std::string &address : text)
        addresses.push_back(address.c_str());
    return addresses;
}

// All bits or none, or else half of them by chance: no word like another, so that a wrong one shows.
template <class Words>
void spread(std::uint64_t bits, Words &words) {
    std::mt19937_64 random(bits);
    for (std::uint64_t &word : words)
        word = bits == 0 || bits == ~std::uint64_t{0} ? bits : random();
}

Tables fill(const Settings &settings, std::uint64_t bits, bool has_owner = true) {
    Tables tables(settings.rules.size() + 1);
    for (filter::Table &table : tables) {
        spread(bits, table.mine);
        table.has_owner = has_owner;
    }
    return tables;
}

GroupSet groups(std::uint64_t bits) {
    GroupSet set;
    spread(bits, set);
    return set;
}

Scenario scenario(std::string_view name, Settings settings, std::uint64_t bits,
                  bool has_owner = true) {
    Scenario one;
    one.name = name;
    one.tables = fill(settings, bits, has_owner);
    one.settings = std::move(settings);
    return one;
}

// Rule 0 and uncovered traffic are this node's, alone; nothing else is.
Scenario single_owner() {
    Scenario one = scenario("single owner", with_rules(five_rules()), 0);
    one.tables.front().mine.fill(~std::uint64_t{0});
    one.tables.back().mine.fill(~std::uint64_t{0});
    return one;
}

Scenario hand_over(std::string_view name, std::uint64_t mine, std::uint64_t guarded,
                   std::uint64_t lingering) {
    Scenario one = scenario(name, with_rules(five_rules()), mine);
    one.guarded = groups(guarded);
    one.lingering = groups(lingering);
    return one;
}

Scenario expired(std::uint64_t lingering) {
    Scenario one = scenario("expired lease", with_rules(five_rules()), ~std::uint64_t{0});
    one.lease = false;
    one.lingering = groups(lingering);
    return one;
}

// No node serves anything, and this node says so; also where connections linger.
Scenario refusing(bool lease) {
    Scenario one = scenario(lease ? "refused here" : "refused, but for the lease",
                            with_rules(five_rules()), 0, false);
    for (filter::Table &table : one.tables)
        table.refuses = true;
    one.lease = lease;
    one.lingering = groups(0x3333333333333333);
    return one;
}

// Processes listen on ports 80 and 8000 of the first virtual IP of each family, and nowhere else.
Scenario with_services() {
    Scenario one = scenario("services expected", with_rules(five_rules()), ~std::uint64_t{0});
    const filter::IpAddress first = one.settings.virtual_ips.front();
    one.expected = {{0, filter::Service{first, 81}}, // it was there once
                    {2, filter::Service{first, 8000}},
                    {4, std::nullopt}};
    return one;
}

Scenario with_services_unknown() {
    Scenario one = with_services();
    for (auto &[rule, known] : one.expected)
        known.reset();
    return one;
}

std::vector<Scenario> all() {
    const std::uint64_t everything = ~std::uint64_t{0};
    std::vector<Scenario> list = {
        scenario("half is mine", with_rules(five_rules()), kEvenBits),
        scenario("all is mine", with_rules(five_rules()), everything),
        scenario("nothing is mine", with_rules(five_rules()), 0),
        scenario("no owner", with_rules(five_rules()), 0, false),
        refusing(true),
        refusing(false),
        single_owner(),
        hand_over("guarded", everything, everything, 0),
        hand_over("lingering", 0, 0, everything),
        hand_over("in the middle", kEvenBits, kEvenBits, 0x3333333333333333),
        expired(0),
        scenario("32 rules, 32 virtual IPs", with_rules(thirty_two_rules(), many_addresses()),
                 kEvenBits),
    };
    for (Affinity affinity : {Affinity::none, Affinity::single, Affinity::network})
        list.push_back(scenario("one rule", with_rules({rule(true, true, 80, 80, affinity)}),
                                0x00ff00ff00ff00ff));
    list.push_back(with_services());
    list.push_back(with_services_unknown());
    return list;
}

} // namespace

const std::vector<Scenario> &scenarios() {
    static const std::vector<Scenario> list = all();
    return list;
}

std::unique_ptr<nlb_state> state_of(const Scenario &scenario) {
    auto state = std::make_unique<nlb_state>();
    filter::write_config(scenario.settings, state->config[0]);
    filter::write_owners(scenario.tables, scenario.settings.rules.size(), state->owners[0]);
    std::copy(scenario.guarded.begin(), scenario.guarded.end(), state->guarded);
    std::copy(scenario.lingering.begin(), scenario.lingering.end(), state->lingering);
    for (const auto &[rule, known] : scenario.expected)
        state->services[rule] = filter::service_entry(true, known);
    state->lease_ns = scenario.lease ? ~std::uint64_t{0} : 0;
    return state;
}

} // namespace judges
