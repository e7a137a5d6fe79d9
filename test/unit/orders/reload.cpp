// SPDX-License-Identifier: Apache-2.0
// What a reload may change, and which of the old tables a new rule goes on with.
#include "test/unit/config/texts.hpp"

#include "agent/orders/changes.hpp"
#include "agent/orders/reload.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace agent_test;
using Former = std::vector<std::optional<std::size_t>>;

const std::string kAddress = virtual_ip("192.0.2.100");

std::string tcp(const std::string &name, const std::string &port, const std::string &more = "") {
    return rule(name, "tcp", port, more);
}

agent::Config config(const std::string &text) { return agent::parse_config(text, "test.toml"); }

const agent::Config kRunning = two_nodes(kAddress + tcp("http", "80") + tcp("tls", "443"));

} // namespace

BOOST_AUTO_TEST_SUITE(agent_reload)

BOOST_AUTO_TEST_CASE(most_changes_at_run_time) {
    for (const std::string &next :
         {kTwoNodes + kAddress + tcp("http", "80-90", "affinity = \"none\"") + tcp("mail", "25"),
          kTwoNodes + kAddress, kTwoNodes + "weight = 30\n" + kAddress + tcp("tls", "443"),
          kTwoNodes + kAddress + "[agent]\ndrain_ms = 9\nlog_level = \"error\"\n",
          kTwoNodes + kAddress + virtual_ip("192.0.2.101"),
          kTwoNodes + kAddress + "[heartbeat]\nwitness = \"192.0.2.1\"\n",
          kTwoNodes + kAddress + "[control]\nport = 99\n",
          kTwoNodes + kAddress + "[metrics]\nlisten = \"127.0.0.1:9777\"\n"})
        BOOST_TEST(agent::refused_changes(kRunning, config(next)).empty(), next);
}

BOOST_AUTO_TEST_CASE(what_cannot_change_is_named) {
    const auto refused = [](const std::string &next) {
        const auto all = agent::refused_changes(kRunning, config(next));
        BOOST_REQUIRE(all.size() == 1u);
        return all[0].substr(0, all[0].find(" ("));
    };
    const auto heartbeat = [](const std::string &line) {
        return kTwoNodes + kAddress + "[heartbeat]\n" + line + "\n";
    };
    BOOST_TEST(refused(heartbeat("interval_ms = 40")) == "heartbeat.interval_ms");
    BOOST_TEST(refused(heartbeat("dead_after_ms = 600")) == "heartbeat.dead_after_ms");
    BOOST_TEST(refused(heartbeat("partition = \"quorum\"")) == "heartbeat.partition");
    BOOST_TEST(refused(heartbeat("group = \"239.255.77.78\"")) == "heartbeat.group");
    BOOST_TEST(refused(heartbeat("port = 99")) == "heartbeat.port");
    BOOST_TEST(refused(kTwoNodes + virtual_ip("192.0.2.101") + kAddress) == "cluster.mac");
}

BOOST_AUTO_TEST_CASE(a_pinned_mac_stays_whatever_the_first_virtual_ip_is) {
    std::string pinned = kTwoNodes;
    pinned.insert(pinned.find("interface"), "mac = \"03:bf:c0:00:02:64\"\n    ");
    for (const std::string &addresses : {kAddress, virtual_ip("192.0.2.101"), virtual_ip("fd00::1")})
        BOOST_TEST(agent::refused_changes(kRunning, config(pinned + addresses)).empty(), addresses);
}

BOOST_AUTO_TEST_CASE(the_list_of_nodes_changes_but_for_ids) {
    const auto refused = [](const agent::Config &former, const agent::Config &next) {
        std::string names;
        for (const std::string &one : agent::refused_changes(former, next))
            names += one.substr(0, one.find(" (")) + ";";
        return names;
    };
    const std::string quorum = "[heartbeat]\npartition = \"quorum\"\n";
    const std::string three = kTwoNodes + "[[node]]\nid = 3\nname = \"web3\"\n" + kAddress;
    BOOST_TEST(refused(kRunning, config(three)) == "");
    BOOST_TEST(refused(config(three), kRunning) == "");
    BOOST_TEST(refused(config(kTwoNodes + kAddress + quorum), config(three + quorum)) == "");
    BOOST_TEST(refused(config(three + quorum), config(kTwoNodes + kAddress + quorum)) == "");
    const auto with = [](const agent::Config &from, std::vector<agent::NodeConfig> nodes) {
        agent::Config next = from;
        next.nodes = std::move(nodes);
        return next;
    };
    const agent::NodeConfig one = kRunning.nodes[0], two = kRunning.nodes[1];
    agent::NodeConfig other = two, renamed = two;
    other.id = 5;
    renamed.name = "web5";
    BOOST_TEST(refused(kRunning, with(kRunning, {one, renamed})) == "");
    BOOST_TEST(refused(kRunning, with(kRunning, {one, other})) == "node \"web2\".id;");
    other.name = "web5";
    BOOST_TEST(refused(kRunning, with(kRunning, {one, other})) == "");
    BOOST_TEST(refused(kRunning, with(kRunning, {other})) == "the list of nodes;");
}

BOOST_AUTO_TEST_CASE(what_an_agent_starts_with_waits_for_its_restart) {
    using Keys = std::vector<std::string>;
    const auto waits = [](const std::string &next, std::size_t node) {
        const agent::Config there = config(next);
        BOOST_TEST(agent::refused_changes(kRunning, there).empty());
        return agent::waits_for_restart(agent::started_with(kRunning, kRunning.nodes[node]), there,
                                        there.nodes[node]);
    };
    const std::string other =
        kTwoNodes + "interface = \"eth9\"\nheartbeat_interfaces = [\"eth9\", \"eth0\"]\n" + kAddress;
    BOOST_TEST((waits(other, 0) == Keys{}));
    BOOST_TEST((waits(other, 1) == Keys{"interface", "heartbeat interfaces"}));
    BOOST_TEST((waits(kTwoNodes + "datapath = \"pcap\"\n" + kAddress, 1) == Keys{"datapath"}));
    auto forwarding = kRunning;
    forwarding.delivery = agent::Delivery::forward;
    const auto started = agent::started_with(forwarding, forwarding.nodes[0]);
    forwarding.announce = std::chrono::milliseconds(1000);
    BOOST_TEST(agent::refused_changes(kRunning, kRunning).empty());
    BOOST_TEST((agent::waits_for_restart(started, forwarding, forwarding.nodes[0]) == Keys{"announce"}));
}

BOOST_AUTO_TEST_CASE(heartbeat_interfaces_change_by_way_of_a_common_one) {
    const auto parts = [](const std::string &interfaces) {
        const agent::Config there = config(kTwoNodes + kAddress + "[heartbeat]\ninterfaces = " + interfaces + "\n");
        return agent::parts_beats(agent::started_with(kRunning, kRunning.nodes[0]), there, there.nodes[0]);
    };
    BOOST_TEST(!parts("[\"eth1\", \"eth0\"]"));
    BOOST_TEST(parts("[\"eth1\"]"));
}

BOOST_AUTO_TEST_CASE(a_node_keeps_one_of_its_addresses) {
    const auto with = [](const std::string &line) { return config(kTwoNodes + line + "\n" + kAddress); };
    const auto refused = [&](const std::string &former, const std::string &next) {
        const auto all = agent::refused_changes(with(former), with(next));
        return all.empty() ? "" : all[0].substr(0, all[0].find(" ("));
    };
    const std::string one = "address = \"10.0.0.2\"", both = "address = [\"10.0.0.3\", \"10.0.0.2\"]",
                      other = "address = [\"10.0.0.3\"]";
    BOOST_TEST(refused("", one) == "");
    BOOST_TEST(refused(one, both) == "");
    BOOST_TEST(refused(both, other) == "");
    BOOST_TEST(refused(one, other) == "node \"web2\".address");
    BOOST_TEST(refused(one, "") == "node \"web2\".address");
}

BOOST_AUTO_TEST_CASE(a_rule_of_the_same_packets_and_buckets_goes_on_with_its_table) {
    const auto former = [](const std::string &rules) {
        return agent::former_tables(kRunning, two_nodes(kAddress + rules));
    };
    BOOST_TEST((former(tcp("http", "80") + tcp("tls", "443")) == Former{0, 1, 2}));
    BOOST_TEST((former(tcp("other", "443", "mode = \"single\"") + tcp("web", "80")) ==
                Former{1, 0, 2}));
    BOOST_TEST((former(tcp("http", "80")) == Former{0, std::nullopt}));
    BOOST_TEST((former(tcp("http", "80", "affinity = \"none\"") + tcp("tls", "443")) ==
                Former{std::nullopt, 1, std::nullopt}));
    BOOST_TEST((former(tcp("http", "80-81") + tcp("tls", "443")) ==
                Former{std::nullopt, 1, std::nullopt}));
}

BOOST_AUTO_TEST_SUITE_END()
