// SPDX-License-Identifier: Apache-2.0
// The status contract: every key, its order, its type, and null for what is unknown.
#include "test/unit/config/texts.hpp"
#include "test/unit/node/fakes.hpp"

#include "agent/report/status.hpp"

#include <boost/test/unit_test.hpp>

#include <regex>

namespace {

using namespace agent_test;
using namespace std::chrono_literals;
using agent::Json;

const std::string kTables = virtual_ip("192.0.2.100") + rule("http", "tcp", "80-81");

struct Fixture {
    TestCluster cluster{2};
    agent::Config config = two_nodes(kTables);
    std::string interface = "ens3";
    agent::NeighbourCounters neighbours;
    agent::Commands commands;
    std::optional<agent::Census> census; // none yet
    std::optional<agent::Witness> witness;
    agent::Orders orders;
    agent::Problems problems;
    std::vector<agent::Listener> listeners{{*filter::parse_ip("0.0.0.0"), 80}};
    FakeDatapath unused;
    agent::Health health{config,        agent::make_health_checks(config, nullptr), 1, unused,
                         cluster.now(), [this] { return listeners; }};

    Json status() { return status(cluster.machine(1).datapath); }
    Json status(const filter::Datapath &datapath, int node = 1) {
        const agent::NodeConfig &self = config.nodes[static_cast<std::size_t>(node - 1)];
        return agent::status({config, self, interface, *cluster.machine(node).node, datapath,
                              health, neighbours, commands, {}, census, witness, orders,
                              Json{{"wrong_key", 3}}, problems, nullptr},
                             cluster.now());
    }
};

struct Counting : FakeDatapath {
    std::vector<std::vector<filter::Counter>> rule_counters() const override {
        return {{{"accepted", false, 3}, {"accepted_guarded", false, 1}, {"foreign", true, 6}}, {}};
    }
};

struct Asked : FakeDatapath {
    mutable unsigned times = 0;
    filter::Mode mode() const override {
        ++times;
        return filter::Mode::generic;
    }
};

std::vector<std::string> keys(const Json &object) {
    std::vector<std::string> names;
    for (const auto &[name, value] : object.items())
        names.push_back(name);
    return names;
}

using Keys = std::vector<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(agent_status, Fixture)

BOOST_AUTO_TEST_CASE(the_keys_and_their_order_are_the_contract) {
    cluster.run(3s);
    const Json json = status();
    const auto same = boost::test_tools::per_element();
    BOOST_TEST(keys(json) ==
                   (Keys{"cluster", "node", "state", "reason", "view", "last_change", "datapath", "members",
                         "rules", "counters", "beats", "neighbours", "commands", "connections", "witness", "uncovered",
                         "orders", "reload", "electorate", "web", "delivery", "virtual_ips", "sent_on", "announce", "problems"}),
               same);
    BOOST_TEST(keys(json["connections"]) == (Keys{"total", "lingering_groups", "lingering"}), same);
    BOOST_TEST(keys(json["view"]) == (Keys{"term", "number", "leader", "installed"}), same);
    BOOST_TEST(keys(json["datapath"]) == (Keys{"kind", "mode", "interface", "memory_put_back"}), same);
    BOOST_TEST(keys(json["members"][0]) ==
                   (Keys{"id", "name", "state", "reason", "weight", "share", "last_heard_ms", "since",
                         "unhealthy_rules"}),
               same);
    BOOST_TEST(keys(json["rules"][0]) ==
                   (Keys{"name", "protocol", "ports", "mode", "affinity", "state", "healthy",
                         "buckets", "reason", "connections", "packets", "health", "when_all_down", "owners"}),
               same);
}

BOOST_AUTO_TEST_CASE(the_kernel_is_asked_once_for_the_mode) {
    cluster.run(3s);
    const Asked datapath;
    status(datapath);
    BOOST_TEST(datapath.times == 1u);
}

BOOST_AUTO_TEST_CASE(an_active_node_tells_what_it_is_and_does) {
    cluster.run(3s);
    const Json json = status();
    BOOST_TEST(json["cluster"] == "web");
    BOOST_TEST(json["node"] == (Json{{"id", 1}, {"name", "web1"}}));
    BOOST_TEST(json["state"] == "active");
    BOOST_TEST(json["reason"].is_null());
    BOOST_TEST(json["view"]["leader"] == 1);
    BOOST_TEST(json["view"]["installed"] == true);
    BOOST_TEST(json["last_change"]["cause"].get<std::string>().ends_with(" added"));
    BOOST_TEST(json["last_change"]["ago_ms"].get<int>() < 3000);
    BOOST_TEST(json["datapath"] ==
               (Json{{"kind", "xdp"}, {"mode", "generic"}, {"interface", "ens3"}, {"memory_put_back", 0}}));
    BOOST_TEST(json["counters"] == (Json{{"accepted", 3}, {"foreign", 6}}));
    const Json &rule = json["rules"][0];
    BOOST_TEST(rule["ports"] == "80-81");
    BOOST_TEST(rule["state"] == "enabled");
    BOOST_TEST(rule["reason"].is_null());
    const double share = json["members"][0]["share"];
    BOOST_TEST(std::abs(rule["buckets"].get<double>() / 65536 - share) < 0.001);
    BOOST_TEST(json["members"][0]["last_heard_ms"] == 0);
    BOOST_TEST(json["members"][1]["last_heard_ms"].is_number());
    const Json &owners = rule["owners"];
    BOOST_TEST_REQUIRE(owners.size() == 2u);
    BOOST_TEST(owners[0]["name"] == "web1");
    BOOST_TEST(owners[0]["buckets"] == rule["buckets"]);
    BOOST_TEST(owners[0]["buckets"].get<int>() + owners[1]["buckets"].get<int>() == 65536);
    BOOST_TEST(json["web"].is_null());
    BOOST_TEST(json["announce"].is_null());
}

BOOST_AUTO_TEST_CASE(packets_are_told_by_rule_verdict_and_reason) {
    BOOST_TEST(status()["rules"][0]["packets"].is_null());
    const Json json = status(Counting());
    BOOST_TEST(json["rules"][0]["packets"] ==
               Json::parse(R"({"taken": 4, "dropped": 6, "reasons": {
                   "taken": {"accepted": 3, "accepted_guarded": 1}, "dropped": {"foreign": 6}}})"));
    BOOST_TEST(json["uncovered"]["packets"] ==
               Json::parse(R"({"taken": 0, "dropped": 0, "reasons": {"taken": {}, "dropped": {}}})"));
}

BOOST_AUTO_TEST_CASE(what_is_unknown_is_null_and_what_is_not_served_has_a_reason) {
    const Json json = status();
    BOOST_TEST(json["state"] == "joining");
    BOOST_TEST(json["reason"].is_string());
    BOOST_TEST(json["view"]["leader"].is_null());
    BOOST_TEST(json["view"]["installed"] == false);
    BOOST_TEST(json["members"][1]["last_heard_ms"].is_null());
    BOOST_TEST(json["members"][1]["state"] == "dead");
    BOOST_TEST(json["rules"][0]["buckets"] == 0);
    BOOST_TEST(json["rules"][0]["owners"].empty());
    BOOST_TEST(json["rules"][0]["reason"].is_string());
}

BOOST_AUTO_TEST_CASE(an_unhealthy_rule_says_why_and_which_members_have_it) {
    cluster.run(3s);
    listeners.clear();
    health.handle(cluster.now() + 1s);
    cluster.machine(1).node->set_health(cluster.now(), health.healthy(), {});
    cluster.run(500ms);
    const Json json = status();
    BOOST_TEST(json["rules"][0]["healthy"] == false);
    BOOST_TEST(json["rules"][0]["buckets"] == 0);
    BOOST_TEST(json["rules"][0]["reason"] == "unhealthy: no process listens on ports 80-81");
    BOOST_TEST(json["rules"][0]["health"]["type"] == "listener");
    BOOST_TEST(json["members"][0]["unhealthy_rules"] == Json::array({"http"}));
    BOOST_TEST(json["members"][1]["unhealthy_rules"] == Json::array());
    cluster.machine(2).node->set_health(cluster.now(), 0, {});
    cluster.run(500ms);
    BOOST_TEST(status()["rules"][0]["buckets"].get<int>() > 0);
    BOOST_TEST(status()["rules"][0]["reason"] ==
               "unhealthy: no process listens on ports 80-81 (served: no node is healthy)");
}

BOOST_AUTO_TEST_CASE(a_node_that_was_stopped_looks_on) {
    cluster.run(3s);
    cluster.machine(1).node->step(cluster.now(), heartbeat::event::Stop{});
    cluster.run(500ms);
    const Json json = status();
    BOOST_TEST(json["state"] == "stopped");
    BOOST_TEST(json["members"][0]["share"] == 0.0);
    BOOST_TEST(json["members"][1]["share"] == 1.0);
    BOOST_TEST(json["rules"][0]["buckets"] == 0);
    cluster.machine(2).node->step(cluster.now(), heartbeat::event::SetWeight{0});
    cluster.run(500ms);
    BOOST_TEST(status()["members"][1]["share"] == 0.0);
}

BOOST_AUTO_TEST_CASE(a_draining_node_says_how_many_connections_are_left) {
    cluster.run(3s);
    cluster.machine(1).node->step(cluster.now(), heartbeat::event::Drain{});
    cluster.run(500ms);
    BOOST_TEST(status()["state"] == "draining");
    BOOST_TEST(status()["reason"] == "draining");
    BOOST_TEST(status()["connections"]["total"].is_null());
    BOOST_TEST(status()["rules"][0]["connections"].is_null());
    census = agent::Census{cluster.now(), {7, 5}, {}, 9};
    BOOST_TEST(status()["reason"] == "draining, 12 connections left");
    BOOST_TEST(status()["members"][0]["reason"] == "draining, 12 connections left");
    BOOST_TEST(status()["connections"]["total"] == 12);
    BOOST_TEST(status()["connections"]["lingering"] == 9);
    BOOST_TEST(status()["rules"][0]["connections"] == 7);
    BOOST_TEST(status()["connections"]["lingering_groups"] == 512); // conservative at the switch
    census->connections = {1, 0};
    BOOST_TEST(status()["reason"] == "draining, 1 connection left");
}

BOOST_AUTO_TEST_CASE(another_node_that_drains_says_so_in_its_beats) {
    cluster.run(3s);
    cluster.machine(2).node->step(cluster.now(), heartbeat::event::Drain{});
    cluster.run(2s);
    BOOST_TEST(status()["members"][1]["state"] == "draining");
    BOOST_TEST(status()["members"][1]["reason"] == "draining, 12 connections left");
}

BOOST_AUTO_TEST_CASE(a_fenced_node_says_since_when) {
    cluster.run(3s);
    auto paused = std::move(cluster.machine(2).node);
    cluster.run(1s);
    cluster.machine(2).node = std::move(paused);
    cluster.run(1ms);
    const Json json = status(cluster.machine(2).datapath, 2);
    BOOST_TEST(json["state"] == "fenced");
    const std::regex since(R"(fenced since \d\d:\d\d:\d\d, its lease ran out; .+)");
    BOOST_TEST(std::regex_match(json["reason"].get<std::string>(), since), json["reason"]);
    BOOST_TEST(json["members"][1]["reason"] == json["reason"]);
    BOOST_TEST(json["members"][1]["since"].is_string());
    BOOST_TEST(json["rules"][0]["reason"] == json["reason"]);
}

BOOST_AUTO_TEST_CASE(orders_show_where_they_matter) {
    cluster.run(3s);
    BOOST_TEST(status()["orders"] ==
               (Json{{"part", "serve"}, {"suspended", false}, {"weight", nullptr}}));
    BOOST_TEST(status()["commands"]["wrong_key"] == 3);
    orders.weight = std::uint8_t{7};
    orders.rules["http"] = agent::RuleOrder::draining;
    BOOST_TEST(status()["orders"]["weight"] == 7);
    BOOST_TEST(status()["rules"][0]["state"] == "draining");
    BOOST_TEST(status()["rules"][0]["reason"] == "draining");
    census = agent::Census{cluster.now(), {1, 5}, {}};
    BOOST_TEST(status()["rules"][0]["reason"] == "draining, 1 connection left");
    orders.rules["http"] = agent::RuleOrder::disabled;
    BOOST_TEST(status()["rules"][0]["state"] == "disabled");
    BOOST_TEST(status()["rules"][0]["reason"] == "disabled by command");
}

BOOST_AUTO_TEST_CASE(problems_are_listed_and_a_serious_one_is_the_reason) {
    cluster.run(3s);
    BOOST_TEST(status()["problems"] == Json::array());
    problems.set(agent::ProblemKind::datapath_stepped_down, "slow", "buy");
    BOOST_TEST(status()["problems"] == Json::parse(R"([{"name": "datapath_stepped_down",
        "text": "slow", "way_out": "buy", "serious": false}])"));
    BOOST_TEST(status()["reason"].is_null());
    problems.set(agent::ProblemKind::filter_not_proven, "detached from ens3");
    const Json json = status();
    BOOST_TEST(json["problems"].size() == 2u);
    BOOST_TEST(json["problems"][0]["serious"] == true);
    BOOST_TEST(json["reason"] == "detached from ens3; start nlbd again");
    BOOST_TEST(json["rules"][0]["reason"] == json["reason"]);
    problems.set(agent::ProblemKind::filter_not_proven, std::nullopt);
    BOOST_TEST(status()["reason"].is_null());
}

BOOST_AUTO_TEST_SUITE_END()
