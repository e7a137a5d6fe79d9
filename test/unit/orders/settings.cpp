// SPDX-License-Identifier: Apache-2.0
// The configuration as the other folders get it.
#include "agent/orders/settings.hpp"

#include <boost/test/unit_test.hpp>

namespace {

std::string text(const std::string &cluster = "web", const std::string &port = "80") {
    return "[cluster]\nname = \"" + cluster + R"("
        interface = "eth0"
        key_file = "/etc/nlb/cluster.key"
        [heartbeat]
        interval_ms = 20
        dead_after_ms = 300
        [[node]]
        id = 1
        name = "web1"
        interface = "ens3"
        datapath = "xdp-generic"
        [[node]]
        id = 7
        name = "web7"
        weight = 30
        [[virtual_ip]]
        address = "192.0.2.100"
        [[virtual_ip]]
        address = "192.0.2.101"
        [[rule]]
        name = "http"
        protocol = "tcp"
        virtual_ips = ["192.0.2.101"]
        ports = ")" +
           port + R"("
        [[rule]]
        name = "dns"
        protocol = "both"
        ports = "53"
        affinity = "network"
    )";
}

agent::Config config(const std::string &cluster = "web", const std::string &port = "80") {
    return agent::parse_config(text(cluster, port), "test.toml");
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_settings)

BOOST_AUTO_TEST_CASE(the_filter_gets_rules_virtual_ips_and_the_cluster_mac) {
    const filter::Settings settings = agent::filter_settings(config(), {});
    BOOST_TEST(settings.virtual_ips.size() == 2u);
    BOOST_TEST(filter::to_string(settings.cluster_mac) == "03:bf:c0:00:02:64");
    BOOST_REQUIRE(settings.rules.size() == 2u);
    BOOST_TEST(settings.rules[0].tcp);
    BOOST_TEST(!settings.rules[0].udp);
    BOOST_TEST(settings.rules[0].virtual_ips == 0b10u);
    BOOST_TEST(settings.rules[0].first_port == 80);
    BOOST_TEST(settings.rules[0].last_port == 80);
    BOOST_TEST(settings.rules[1].udp);
    BOOST_TEST((settings.rules[1].virtual_ips & 0b11u) == 0b11u);
    BOOST_TEST((settings.rules[1].affinity == filter::Affinity::network));
}

BOOST_AUTO_TEST_CASE(a_nodes_own_names_win_over_the_clusters) {
    const agent::Config both = config();
    BOOST_TEST(agent::clients_interface(both, both.nodes[0]) == "ens3");
    BOOST_TEST(agent::clients_interface(both, both.nodes[1]) == "eth0");
    BOOST_TEST(agent::heartbeat_interfaces(both, both.nodes[0]) == std::vector<std::string>{"ens3"},
               boost::test_tools::per_element());
    BOOST_TEST((agent::xdp_mode(both.nodes[0].datapath.value_or(both.datapath)) == filter::XdpMode::generic));
    BOOST_TEST((agent::xdp_mode(both.nodes[1].datapath.value_or(both.datapath)) == filter::XdpMode::best));
}

BOOST_AUTO_TEST_CASE(the_membership_gets_its_times_nodes_and_digests) {
    const agent::Config both = config();
    const heartbeat::Settings settings = agent::membership_settings(both, both.nodes[1], {});
    BOOST_TEST((settings.self == heartbeat::NodeId{7}));
    BOOST_TEST(settings.nodes.size() == 2u);
    BOOST_TEST((settings.interval == std::chrono::milliseconds(20)));
    BOOST_TEST((settings.dead_after == std::chrono::milliseconds(300)));
    BOOST_TEST(settings.weight == 30);
    BOOST_TEST(settings.sections.size() == settings.section_names.size());
    BOOST_TEST(!settings.sections.empty());
}

BOOST_AUTO_TEST_CASE(all_nodes_of_one_configuration_have_one_digest_and_a_change_has_another) {
    const agent::Config one = config(), renamed = config("shop"), moved = config("web", "81");
    const auto digest = [](const agent::Config &c, std::size_t node) {
        return agent::membership_settings(c, c.nodes[node], {}).config;
    };
    BOOST_TEST(digest(one, 0) == digest(one, 1));
    BOOST_TEST(digest(one, 0) != digest(renamed, 0));
    BOOST_TEST(digest(one, 0) != digest(moved, 0));
    const auto with_keys = [&](const agent::ClusterKeys &keys) {
        return agent::membership_settings(one, one.nodes[0], keys).config;
    };
    const agent::ClusterKey key{1}, next{2};
    BOOST_TEST(with_keys({key, {}}) != with_keys({key, next}));
    BOOST_TEST(with_keys({key, next}) != with_keys({next, key}));
}

BOOST_AUTO_TEST_SUITE_END()
