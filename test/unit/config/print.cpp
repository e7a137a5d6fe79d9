// SPDX-License-Identifier: Apache-2.0
//
// What is printed parses again to the same thing, for thousands of random configurations that use
// the whole schema.
#include "agent/config/sections.hpp"
#include "test/unit/config/files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <numeric>
#include <random>

namespace {

using Random = std::mt19937;

unsigned pick(Random &random, unsigned lowest, unsigned highest) {
    return std::uniform_int_distribution<unsigned>(lowest, highest)(random);
}

bool coin(Random &random) { return pick(random, 0, 1) == 1; }

template <class Enum>
Enum any(Random &random, unsigned values) {
    return static_cast<Enum>(pick(random, 0, values - 1));
}

std::vector<std::string> some_interfaces(Random &random) {
    std::vector<std::string> names;
    for (unsigned i = pick(random, 1, 3); i > 0; --i)
        names.push_back("eth\"" + std::to_string(i)); // a quote is allowed, if not wise
    return names;
}

filter::IpAddress some_address(Random &random, unsigned number) {
    const std::string last = std::to_string(number);
    return *filter::parse_ip((coin(random) ? "192.0.2." : "2001:db8::7:") + last);
}

agent::NodeConfig some_node(Random &random, std::uint8_t id) {
    agent::NodeConfig node;
    node.id = id;
    node.name = "n" + std::to_string(id) + (coin(random) ? ".example.com" : "");
    node.weight = static_cast<std::uint8_t>(pick(random, 0, 100));
    if (coin(random)) node.interface = "ens" + std::to_string(id);
    if (coin(random)) node.datapath = any<agent::DatapathKind>(random, 5);
    if (coin(random)) node.heartbeat_interfaces = some_interfaces(random);
    const std::string own = std::to_string(id); // no other node's
    for (unsigned i = pick(random, 0, 8); i > 0; --i)
        node.addresses.push_back(
            *filter::parse_ip((coin(random) ? "10." + own + ".0." : "fd00::" + own + ":") + std::to_string(i)));
    return node;
}

agent::HealthConfig some_health(Random &random, const agent::RuleConfig &rule) {
    using Type = agent::HealthType;
    agent::HealthConfig health;
    health.type = any<Type>(random, 5);
    if (health.type == Type::listener && rule.protocol == agent::Protocol::udp)
        health.type = Type::none;
    if (health.type == Type::none || health.type == Type::listener) return health;
    health.interval = std::chrono::milliseconds(pick(random, 50, 3'600'000));
    health.timeout = std::chrono::milliseconds(
        pick(random, 10, static_cast<unsigned>(health.interval.count())));
    health.rise = pick(random, 1, 100);
    health.fall = pick(random, 1, 100);
    if (health.type == Type::exec) {
        health.command = {"/bin/\"check\"", "", "\n \xc3\xa9 '"};
        health.user = "nlbd";
        return health;
    }
    health.port = static_cast<std::uint16_t>(pick(random, 1, 65535));
    if (health.type != Type::http) return health;
    health.path = "/up\"?\\";
    health.status = {200, static_cast<std::uint16_t>(pick(random, 201, 599))};
    if (coin(random)) health.host = "www.example.com:80";
    return health;
}

agent::RuleConfig some_rule(Random &random, unsigned number, const agent::Config &config) {
    agent::RuleConfig rule;
    rule.name = "rule-" + std::to_string(number);
    if (coin(random))
        std::copy_if(config.virtual_ips.begin(), config.virtual_ips.end(),
                     std::back_inserter(rule.virtual_ips), [&](auto &) { return coin(random); });
    rule.protocol = any<agent::Protocol>(random, 3);
    rule.first_port = static_cast<std::uint16_t>(1000 * number + pick(random, 0, 100));
    rule.last_port =
        static_cast<std::uint16_t>(rule.first_port + (coin(random) ? 0 : pick(random, 1, 800)));
    rule.health = some_health(random, rule);
    rule.when_all_down = any<agent::WhenAllDown>(random, 2);
    rule.mode = any<agent::RuleMode>(random, 3);
    rule.affinity = any<filter::Affinity>(random, 3);
    for (const agent::NodeConfig &node : config.nodes) {
        if (coin(random)) rule.weights[node.id] = static_cast<std::uint8_t>(pick(random, 0, 100));
        if (rule.mode == agent::RuleMode::single && coin(random)) rule.priority.push_back(node.id);
    }
    std::shuffle(rule.priority.begin(), rule.priority.end(), random);
    return rule;
}

// What it has no use for is left out.
void forward(Random &random, agent::Config &config) {
    config.delivery = agent::Delivery::forward;
    config.mac.reset();
    config.mac_mode = agent::MacMode::multicast;
    config.datapath = coin(random) ? agent::DatapathKind::automatic : agent::DatapathKind::tc;
    for (agent::NodeConfig &node : config.nodes)
        if (node.datapath) node.datapath = config.datapath;
    if (coin(random)) config.announce = std::chrono::milliseconds(pick(random, 0, 60'000));
    for (auto &receiver : config.receivers)
        if (coin(random)) receiver = {config.nodes.back().id};
}

agent::Config some_config(Random &random) {
    agent::Config config;
    config.file = "random.toml";
    config.cluster_name = "c_" + std::to_string(pick(random, 0, 99));
    config.interface = "\\eth0";
    config.key_file = "/etc/\"nlb\"/\\\t\n\x01\x7f\xc2\x85 \xc3\xa9";
    config.datapath = any<agent::DatapathKind>(random, 5);
    config.heartbeat_interfaces = some_interfaces(random);
    config.group = *filter::parse_ip("239.1.2." + std::to_string(pick(random, 0, 255)));
    config.group6 = *filter::parse_ip("ff02::" + std::to_string(pick(random, 1, 9999)));
    config.port = static_cast<std::uint16_t>(pick(random, 1, 65535));
    config.interval = std::chrono::milliseconds(pick(random, 10, 5000));
    config.control_port = static_cast<std::uint16_t>(pick(random, 1, 65535));
    config.drain = std::chrono::milliseconds(pick(random, 0, 600'000));
    config.dead_after = config.interval * pick(random, 8, 12);
    config.partition = any<agent::Partition>(random, 2);
    if (config.partition == agent::Partition::serve && coin(random))
        config.witness = some_address(random, 250);
    if (coin(random))
        config.metrics_listen = agent::Endpoint{
            some_address(random, 240), static_cast<std::uint16_t>(pick(random, 1, 65535))};
    for (std::uint8_t id = 1; id <= 32; ++id)
        if (id == 7 || coin(random)) config.nodes.push_back(some_node(random, id));
    for (unsigned number = pick(random, 1, 32); number > 0; --number)
        config.virtual_ips.push_back(some_address(random, number));
    config.receivers.resize(config.virtual_ips.size());
    config.mac_mode = any<agent::MacMode>(random, config.virtual_ips[0].is_v4() ? 3 : 2);
    config.log_level = any<agent::log::Level>(random, 3);
    if (coin(random)) {
        config.mac = agent::cluster_mac(config);
        config.mac->back() = static_cast<std::uint8_t>(pick(random, 0, 76)); // 77 is the heartbeat group's
    }
    if (coin(random)) forward(random, config);
    for (unsigned number = pick(random, 0, 32); number > 0; --number)
        config.rules.push_back(some_rule(random, number, config));
    return config;
}

agent::Config read_again(const agent::Config &config) {
    return agent::read_config(agent::parse_toml(agent::to_toml(config), config.file), config.file);
}

} // namespace

BOOST_AUTO_TEST_SUITE(config_print)

BOOST_AUTO_TEST_CASE(whatever_is_printed_reads_back_the_same) {
    for (unsigned seed = 0; seed < 300; ++seed) {
        Random random(seed);
        const agent::Config config = some_config(random);
        BOOST_TEST_CONTEXT("seed " << seed << '\n' << agent::to_toml(config)) {
            const agent::Config again = read_again(config);
            BOOST_TEST((again == config));
            BOOST_TEST(agent::to_toml(again) == agent::to_toml(config));
        }
    }
}

BOOST_AUTO_TEST_CASE(the_example_prints_the_same_twice) {
    const agent::Config config = agent::load_config(source_dir() / "etc/cluster.toml");
    const std::string printed = agent::to_toml(config);
    BOOST_TEST(agent::to_toml(agent::parse_config(printed, "printed")) == printed);
}

BOOST_AUTO_TEST_CASE(the_largest_configuration_fits_into_a_file) {
    Random random(1);
    agent::Config config = some_config(random);
    const std::string longest(60, 'x');
    config.nodes.clear();
    config.virtual_ips.clear();
    config.rules.clear();
    for (std::uint8_t id = 1; id <= 32; ++id) {
        config.nodes.push_back(some_node(random, id));
        config.nodes.back().name = longest + std::to_string(id);
        config.virtual_ips.push_back(
            *filter::parse_ip("2001:db8:ffff:ffff:ffff:ffff:ffff:" + std::to_string(1000 + id)));
    }
    config.delivery = agent::Delivery::flood;
    config.announce.reset();
    config.receivers.assign(32, {});
    config.mac_mode = agent::MacMode::multicast;
    config.mac.reset();
    for (unsigned number = 1; number <= 32; ++number) {
        agent::RuleConfig rule = some_rule(random, number, config);
        rule.name = longest + std::to_string(number);
        rule.virtual_ips = config.virtual_ips;
        rule.mode = agent::RuleMode::single;
        rule.priority.resize(32);
        std::iota(rule.priority.begin(), rule.priority.end(), std::uint8_t{1});
        for (const std::uint8_t id : rule.priority)
            rule.weights[id] = 100;
        config.rules.push_back(rule);
    }
    BOOST_TEST((read_again(config) == config));
}

BOOST_AUTO_TEST_CASE(ports_are_written_as_they_are_read) {
    agent::RuleConfig rule;
    BOOST_TEST(agent::ports_text(rule) == "any");
    rule.last_port = 0;
    BOOST_TEST(agent::ports_text(rule) == "0");
    rule.first_port = 8000;
    rule.last_port = 8999;
    BOOST_TEST(agent::ports_text(rule) == "8000-8999");
}

BOOST_AUTO_TEST_CASE(words_are_those_of_the_file) {
    BOOST_TEST(agent::to_string(agent::Protocol::both) == "both");
    BOOST_TEST(agent::to_string(agent::RuleMode::multiple) == "multiple");
    BOOST_TEST(agent::to_string(filter::Affinity::none) == "none");
    BOOST_TEST(agent::to_string(filter::Affinity::network) == "network");
}

BOOST_AUTO_TEST_SUITE_END()
