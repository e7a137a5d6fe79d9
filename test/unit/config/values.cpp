// SPDX-License-Identifier: Apache-2.0
// What good configurations come to: values, defaults, the cluster's MAC address, which node this
// one is.
#include "agent/config/sections.hpp"
#include "test/unit/config/files.hpp"

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <climits>
#include <regex>
#include <unistd.h>

namespace {

const std::string kSmallest = R"([cluster]
name = "web"
interface = "eth0"
[[node]]
id = 2
name = "web2"
[[node]]
id = 1
name = "web1"
[[virtual_ip]]
address = "192.0.2.100"
)";

const std::string kFullest = R"([cluster]
name = "web"
interface = "eth0"
mac_mode = "unicast"
key_file = "/k"
datapath = "pcap"
[heartbeat]
interfaces = ["eth1", "eth0"]
group = "239.1.2.3"
group6 = "ff02::77"
port = 7000
interval_ms = 10
dead_after_ms = 100
partition = "serve"
witness = "192.0.2.1"
[[node]]
id = 32
name = "web1"
weight = 0
interface = "enp0s31f6.vlan1"
datapath = "xdp-generic"
heartbeat_interfaces = ["ens4"]
address = "192.0.2.11"
[[node]]
id = 2
name = "web2"
address = ["192.0.2.12", "fd00::12"]
[[virtual_ip]]
address = "192.0.2.100"
[[virtual_ip]]
address = "2001:db8::100"
[[rule]]
name = "http"
virtual_ips = ["2001:db8::100", "192.0.2.100"]
protocol = "both"
ports = "8000-8999"
mode = "single"
affinity = "network"
health = { type = "http", port = 81, path = "/up?x=1", status = [204, 200], host = "www", interval_ms = 500, rise = 1, fall = 2 }
when_all_down = "reject"
weights = { web1 = 10 }
priority = ["web2", "web1"]
[[rule]]
name = "rest"
protocol = "udp"
ports = "0-79"
virtual_ips = ["192.0.2.100"]
mode = "disabled"
)";

agent::Config smallest() { return agent::parse_config(kSmallest, "f"); }

agent::Config read(const std::string &text) {
    return agent::read_config(agent::parse_toml(text, "f"), "f");
}

std::string mac(agent::MacMode mode, std::string_view first) {
    agent::Config config = smallest();
    config.mac_mode = mode;
    config.virtual_ips = {*filter::parse_ip(first)};
    if (const auto group = agent::cluster_group(config))
        return filter::to_string(agent::cluster_mac(config)) + " " + filter::to_string(*group);
    return filter::to_string(agent::cluster_mac(config));
}

std::string host_name() {
    char name[HOST_NAME_MAX + 1] = {};
    gethostname(name, sizeof name - 1);
    return name;
}

} // namespace

BOOST_AUTO_TEST_SUITE(config_values)

BOOST_AUTO_TEST_CASE(the_smallest_configuration_gets_the_defaults) {
    using namespace std::chrono_literals;
    const agent::Config config = smallest();
    BOOST_TEST((config.mac_mode == agent::MacMode::multicast));
    BOOST_TEST((config.datapath == agent::DatapathKind::automatic));
    BOOST_TEST(config.key_file == "/etc/nlb/cluster.key");
    BOOST_TEST(config.heartbeat_interfaces == std::vector<std::string>{"eth0"});
    BOOST_TEST(filter::to_string(config.group) == "239.255.77.77");
    BOOST_TEST(filter::to_string(config.group6) == "ff02::6e6c");
    BOOST_TEST(config.port == 7777);
    BOOST_TEST((config.interval == 50ms));
    BOOST_TEST((config.drain == 2000ms));
    BOOST_TEST(config.control_port == 7778);
    BOOST_TEST((config.dead_after == 500ms));
    BOOST_TEST((config.partition == agent::Partition::serve));
    BOOST_TEST(!config.witness);
    BOOST_TEST(!config.metrics_listen);
    BOOST_TEST(config.rules.empty());
}

BOOST_AUTO_TEST_CASE(letters_outside_ascii_are_fine_in_strings_and_comments) {
    const std::string header = "\xef\xbb\xbf# caf\u00e9 \"\n[cluster] # '\u00e9\nname = "
                               "'web'\ninterface = \"eth0\"\nkey_file = ";
    const std::string rest = kSmallest.substr(kSmallest.find("[[node]]"));
    for (const std::string value : {"\"/\u00e9\"", "'/\u00e9'", "\"\"\"/\u00e9\"\"\"",
                                    "'''/\u00e9'''", "\"\"\"\\\n  /\u00e9\"\"\""})
        BOOST_TEST(agent::parse_config(header + value + " # \u00e9\n" + rest, "f").key_file ==
                   "/\u00e9");
    BOOST_TEST(agent::parse_config(header + "\"\"\"/\\\"\u00e9\"\"\"\"\" # \u00e9\n" + rest, "f")
                   .key_file == "/\"\u00e9\"\"");
}

BOOST_AUTO_TEST_CASE(nodes_are_sorted_by_id) {
    const agent::Config config = smallest();
    BOOST_TEST(config.nodes.at(0).name == "web1");
    BOOST_TEST(config.nodes.at(1).name == "web2");
    BOOST_TEST(config.nodes.at(0).weight == 100);
    BOOST_TEST(!config.nodes.at(0).interface);
    BOOST_TEST(!config.nodes.at(0).datapath);
    BOOST_TEST(!config.nodes.at(0).heartbeat_interfaces);
    BOOST_TEST(config.nodes.at(0).addresses.empty());
}

BOOST_AUTO_TEST_CASE(cluster_and_heartbeat_take_every_value) {
    using namespace std::chrono_literals;
    const agent::Config config = read(kFullest);
    BOOST_TEST((config.mac_mode == agent::MacMode::unicast));
    BOOST_TEST(config.key_file == "/k");
    BOOST_TEST((config.datapath == agent::DatapathKind::pcap));
    BOOST_TEST(config.heartbeat_interfaces == (std::vector<std::string>{"eth1", "eth0"}));
    BOOST_TEST(filter::to_string(config.group) == "239.1.2.3");
    BOOST_TEST(filter::to_string(config.group6) == "ff02::77");
    BOOST_TEST(config.port == 7000);
    BOOST_TEST((config.interval == 10ms));
    BOOST_TEST((config.dead_after == 100ms));
    BOOST_TEST(filter::to_string(config.witness.value()) == "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(a_node_overrides_what_differs_on_it) {
    const agent::NodeConfig node = read(kFullest).nodes.at(1);
    BOOST_TEST(node.id == 32);
    BOOST_TEST(node.weight == 0);
    BOOST_TEST(node.interface.value() == "enp0s31f6.vlan1");
    BOOST_TEST((node.datapath == agent::DatapathKind::xdp_generic));
    BOOST_TEST(node.heartbeat_interfaces.value() == std::vector<std::string>{"ens4"});
}

BOOST_AUTO_TEST_CASE(a_node_has_an_address_or_several) {
    const agent::Config config = read(kFullest);
    BOOST_TEST((config.nodes.at(0).addresses ==
                std::vector{*filter::parse_ip("192.0.2.12"), *filter::parse_ip("fd00::12")}));
    BOOST_TEST((config.nodes.at(1).addresses == std::vector{*filter::parse_ip("192.0.2.11")}));
}

BOOST_AUTO_TEST_CASE(a_list_of_one_is_written_as_a_string_or_as_an_array) {
    const std::string arrays = R"([cluster]
name = "web"
interface = "eth0"
delivery = "forward"
[heartbeat]
interfaces = ["eth1"]
[[node]]
id = 1
name = "web1"
address = ["192.0.2.11"]
heartbeat_interfaces = ["ens4"]
[[virtual_ip]]
address = "192.0.2.100"
receiver = ["web1"]
[[rule]]
name = "http"
protocol = "tcp"
ports = "80"
virtual_ips = ["192.0.2.100"]
mode = "single"
priority = ["web1"]
[metrics]
listen = "127.0.0.1:9777"
names = ["status.example.com"]
)";
    const std::string strings = std::regex_replace(arrays, std::regex(R"(\[("[^"]+")\])"), "$1");
    BOOST_TEST(strings.find("receiver = \"web1\"\n") != std::string::npos);
    BOOST_TEST(agent::to_toml(read(strings)) == agent::to_toml(read(arrays)));
}

BOOST_AUTO_TEST_CASE(a_rule_takes_every_value) {
    using namespace std::chrono_literals;
    const agent::Config config = read(kFullest);
    const agent::RuleConfig &rule = config.rules.at(0);
    BOOST_TEST((rule.virtual_ips == config.virtual_ips)); // in their order
    BOOST_TEST((rule.protocol == agent::Protocol::both));
    BOOST_TEST(rule.first_port == 8000);
    BOOST_TEST(rule.last_port == 8999);
    BOOST_TEST((rule.mode == agent::RuleMode::single));
    BOOST_TEST((rule.affinity == filter::Affinity::network));
    const agent::HealthConfig &health = rule.health;
    BOOST_TEST((health.type == agent::HealthType::http));
    BOOST_TEST(health.port == 81);
    BOOST_TEST(health.path == "/up?x=1");
    BOOST_TEST((health.status == std::vector<std::uint16_t>{200, 204}));
    BOOST_TEST(*health.host == "www");
    BOOST_TEST((health.interval == 500ms));
    BOOST_TEST((health.timeout == 500ms)); // never longer than the interval
    BOOST_TEST(health.rise == 1u);
    BOOST_TEST(health.fall == 2u);
    BOOST_TEST((rule.when_all_down == agent::WhenAllDown::reject));
    BOOST_TEST((rule.weights == std::map<std::uint8_t, std::uint8_t>{{32, 10}}));
    BOOST_TEST((rule.priority == std::vector<std::uint8_t>{2, 32}));
}

BOOST_AUTO_TEST_CASE(the_default_health_is_a_listener_but_for_udp) {
    using Type = agent::HealthType;
    const auto type = [](const std::string &protocol, const std::string &more = "") {
        return read(kSmallest + ("[[rule]]\nname = \"a\"\nports = \"80\"\nprotocol = \"" + protocol +
                                 "\"\n" + more))
            .rules.at(0)
            .health.type;
    };
    BOOST_TEST((type("tcp") == Type::listener));
    BOOST_TEST((type("both") == Type::listener));
    BOOST_TEST((type("udp") == Type::none));
    BOOST_TEST((type("tcp", "health = { type = \"none\" }") == Type::none));
}

BOOST_AUTO_TEST_CASE(a_check_is_made_at_the_rules_own_port) {
    using namespace std::chrono_literals;
    const auto health = read(kSmallest + std::string("[[rule]]\nname = \"a\"\nports = \"80\"\nprotocol "
                                                     "= \"tcp\"\nhealth = { type = \"tcp\" }\n"))
                            .rules.at(0)
                            .health;
    BOOST_TEST(health.port == 80);
    BOOST_TEST((health.interval == 1000ms));
    BOOST_TEST((health.timeout == 1000ms));
    BOOST_TEST(health.rise == 2u);
    BOOST_TEST(health.fall == 3u);
}

BOOST_AUTO_TEST_CASE(a_command_is_an_array_and_has_times_of_its_own) {
    using namespace std::chrono_literals;
    const auto health =
        read(kSmallest + std::string("[[rule]]\nname = \"a\"\nports = \"53\"\nprotocol = \"udp\"\n"
                                     "health = { type = \"exec\", command = [\"/usr/bin/dig\", "
                                     "\"a b\"] }\n"))
            .rules.at(0)
            .health;
    BOOST_TEST((health.command == std::vector<std::string>{"/usr/bin/dig", "a b"}));
    BOOST_TEST(health.user == "nobody");
    BOOST_TEST((health.interval == 5000ms));
    BOOST_TEST((health.timeout == 2000ms));
}

BOOST_AUTO_TEST_CASE(rules_that_only_touch_do_not_overlap) {
    const std::string tcp80 = "[[rule]]\nname = \"a\"\nprotocol = \"tcp\"\nports = \"80\"\n";
    for (const std::string other :
         {"protocol = \"udp\"\nports = \"80\"\n", "protocol = \"both\"\nports = \"81-65535\"\n",
          "protocol = \"tcp\"\nports = \"0-79\"\n"})
        BOOST_TEST(agent::parse_config(kSmallest + tcp80 + "[[rule]]\nname = \"b\"\n" + other, "f")
                       .rules.size() == 2u);
    const std::string second = "[[virtual_ip]]\naddress = \"2001:db8::1\"\n";
    const std::string each =
        kSmallest + second + tcp80 + "virtual_ips = [\"192.0.2.100\"]\n[[rule]]\nname = \"b\"\n" +
        "protocol = \"tcp\"\nports = \"any\"\nvirtual_ips = [\"2001:db8::1\"]\n";
    BOOST_TEST(agent::parse_config(each, "f").rules.size() == 2u);
}

BOOST_AUTO_TEST_CASE(the_first_virtual_ip_gives_the_mac_address) {
    BOOST_TEST(mac(agent::MacMode::multicast, "192.0.2.100") == "03:bf:c0:00:02:64");
    BOOST_TEST(mac(agent::MacMode::unicast, "192.0.2.100") == "02:bf:c0:00:02:64");
    BOOST_TEST(mac(agent::MacMode::igmp, "192.0.2.100") == "01:00:5e:7f:02:64 239.255.2.100");
    BOOST_TEST(mac(agent::MacMode::multicast, "2001:db8::aabb:ccdd") == "03:bf:aa:bb:cc:dd");
}

BOOST_AUTO_TEST_CASE(a_node_is_found_by_the_name_given) {
    const agent::Config config = smallest();
    BOOST_TEST(agent::find_self(config, "web2").id == 2);
    BOOST_TEST(message_of([&] { agent::find_self(config, "web"); }) ==
               "find this node in f: no node is called \"web\"; name one with --node: \"web1\" or "
               "\"web2\"");
}

BOOST_AUTO_TEST_CASE(a_node_finds_itself_by_its_host_name) {
    agent::Config config = smallest();
    config.nodes[0].name = host_name() + "-1"; // whatever this machine is called
    config.nodes[1].name = host_name() + "-2";
    BOOST_TEST(message_of([&] { agent::find_self(config, std::nullopt); })
                   .ends_with(" (the host name); name one with --node: \"" + config.nodes[0].name +
                              "\" or \"" + config.nodes[1].name + "\""));
    config.nodes[0].name = host_name().substr(0, host_name().find('.'));
    BOOST_TEST(agent::find_self(config, std::nullopt).id == 1);
    config.nodes[1].name = host_name(); // the whole name goes first
    BOOST_TEST(agent::find_self(config, std::nullopt).name == host_name());
}

BOOST_AUTO_TEST_SUITE_END()
