// SPDX-License-Identifier: Apache-2.0
// Orders and what comes of them, in a cluster of fakes.
#include "test/unit/control/server.hpp"
#include "test/unit/config/texts.hpp"
#include "test/unit/node/fakes.hpp"
#include "test/unit/wakes_at.hpp"

#include "agent/orders/execution.hpp"
#include "agent/orders/settings.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace agent_test;
using namespace std::chrono_literals;
using agent::Json;
using agent::Orders;
using agent::RuleOrder;
using heartbeat::NodeState;

const std::string kTables = virtual_ip("192.0.2.100") + virtual_ip("192.0.2.101") +
                            rule("http", "tcp", "80", "virtual_ips = [\"192.0.2.100\"]") +
                            rule("shared", "both", "53");

// Node 1, administered.
struct Fixture {
    TestCluster cluster{2};
    agent::Config config = two_nodes(kTables);
    agent::InForce in_force{config, config.nodes[0], {}};
    TemporaryDirectory dir;
    agent::OrdersFile file{dir.path + "/state"};
    agent::SocketCensus census{agent::filter_settings(config, {})};
    agent::Draining draining;
    agent::Commands commands;
    std::optional<agent::Execution> execution;

    Fixture() {
        restart();
        cluster.run(3s);
    }

    // Another process: nothing of the former but what is on disk.
    void restart() {
        execution.reset();
        draining = {};
        commands = {};
        execution.emplace(agent::Executing{in_force, node(), datapath(), census, draining,
                                                   [this] { return cluster.now(); }},
                               file, file.load());
        execution->add_to(commands);
        execution->restore();
    }

    agent::Node &node() { return *cluster.machine(1).node; }
    FakeDatapath &datapath() { return cluster.machine(1).datapath; }
    NodeState state() { return node().status(cluster.now()).state; }
    unsigned weight() { return member().weight; }
    const heartbeat::Member &member() {
        static heartbeat::View view;
        view = node().status(cluster.now()).view;
        return *view.find(heartbeat::NodeId{1});
    }

    // "ok", or the code under which it was refused. Time goes on until there is a reply.
    std::string give(const std::string &command, const agent::Commands::Arguments &args = {}) {
        const Json request{{"command", command}, {"args", args}};
        for (auto reply = commands.begin(request.dump());; cluster.run(1ms), usleep(100)) {
            if (execution) execution->handle();
            if (const auto text = reply()) return Json::parse(*text).value("code", "ok");
        }
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(agent_administration, Fixture)

BOOST_AUTO_TEST_CASE(stop_returns_when_the_node_is_out_and_start_brings_it_back) {
    BOOST_TEST(give("stop") == "ok");
    BOOST_TEST((state() == NodeState::stopped));
    BOOST_TEST(give("stop") == "ok");
    BOOST_TEST(give("start") == "ok");
    cluster.run(1s);
    BOOST_TEST((state() == NodeState::active));
    BOOST_TEST(give("start") == "ok");
    BOOST_TEST((execution->orders() == Orders{}));
}

BOOST_AUTO_TEST_CASE(a_suspended_node_obeys_nothing_but_resume) {
    BOOST_TEST(give("suspend") == "ok");
    BOOST_TEST((state() == NodeState::suspended));
    for (const char *command : {"start", "stop", "drain"})
        BOOST_TEST(give(command) == "refused", command);
    for (const char *command : {"enable", "disable", "drain-rule"})
        BOOST_TEST(give(command, {"http"}) == "refused", command);
    BOOST_TEST(give("weight", {"3"}) == "refused");
    BOOST_TEST(give("suspend") == "ok");
    BOOST_TEST(give("state") == "ok");
    cluster.run(2s);
    BOOST_TEST((state() == NodeState::suspended));
    BOOST_TEST(give("resume") == "ok");
    cluster.run(1s);
    BOOST_TEST((state() == NodeState::active));
    BOOST_TEST(give("resume") == "ok");
}

BOOST_AUTO_TEST_CASE(resume_brings_back_what_was_before) {
    BOOST_TEST(give("stop") == "ok");
    BOOST_TEST(give("suspend") == "ok");
    BOOST_TEST(give("resume") == "ok");
    cluster.run(1s);
    BOOST_TEST((state() == NodeState::stopped));
}

BOOST_AUTO_TEST_CASE(stop_and_suspend_survive_a_restart) {
    for (const auto &[order, undo, wanted] :
         {std::tuple("stop", "start", NodeState::stopped),
          std::tuple("suspend", "resume", NodeState::suspended)}) {
        BOOST_TEST(give(order) == "ok");
        cluster.machine(1).datapath.noted.clear(); // the machine has restarted as well
        cluster.machine(1).start();
        restart();
        cluster.run(2s);
        BOOST_TEST((state() == wanted), order);
        BOOST_TEST(give(undo) == "ok");
        cluster.run(1s);
        BOOST_TEST((state() == NodeState::active), order);
    }
}

BOOST_AUTO_TEST_CASE(a_drain_ends_in_an_order_to_stop_and_start_cancels_it) {
    BOOST_TEST(give("drain") == "ok");
    BOOST_TEST(draining.under_way());
    BOOST_TEST((agent_test::wakes_at(draining) == heartbeat::kNever));
    BOOST_TEST(give("drain", {"60"}) == "ok");
    BOOST_TEST((agent_test::wakes_at(draining) - cluster.now() <= 60s));
    BOOST_TEST((agent_test::wakes_at(draining) - cluster.now() > 50s));
    restart(); // it goes on
    BOOST_TEST(draining.under_way());
    BOOST_TEST((agent_test::wakes_at(draining) - cluster.now() <= 60s));
    BOOST_TEST(give("start") == "ok");
    BOOST_TEST(!draining.under_way());
    BOOST_TEST(give("drain") == "ok");
    execution->drained();
    for (int i = 0; i < 1000 && execution->orders().part != agent::Part::stop; ++i) {
        cluster.run(1ms);
        execution->handle();
        usleep(100);
    }
    cluster.run(200ms);
    BOOST_TEST((state() == NodeState::stopped));
    BOOST_TEST(give("drain") == "ok"); // has nothing to drain
    BOOST_TEST((execution->orders().part == agent::Part::stop));
    for (const char *wrong : {"", "-1", "x", "604801", "1 "})
        BOOST_TEST(give("drain", {wrong}) == "failed", wrong);
}

BOOST_AUTO_TEST_CASE(a_disabled_rule_drops_here_and_moves_away_a_drained_one_only_moves) {
    BOOST_TEST(give("disable", {"shared"}) == "ok");
    BOOST_TEST(datapath().disabled.contains(1));
    cluster.run(200ms);
    BOOST_TEST((member().eligible & 3) == 1u);
    BOOST_TEST(give("drain-rule", {"shared"}) == "ok");
    BOOST_TEST(datapath().disabled.empty());
    cluster.run(200ms);
    BOOST_TEST((member().eligible & 3) == 1u);
    BOOST_TEST(give("drain-rule", {"http"}) == "ok");
    cluster.run(200ms);
    BOOST_TEST((member().eligible & 3) == 0u);
    BOOST_TEST(give("enable", {"shared"}) == "ok");
    BOOST_TEST(give("enable", {"http"}) == "ok");
    cluster.run(200ms);
    BOOST_TEST((member().eligible & 3) == 3u);
    BOOST_TEST((execution->orders() == Orders{}));
    BOOST_TEST(give("disable", {"ftp"}) == "refused");
    BOOST_TEST(give("disable") == "failed");
    BOOST_TEST(give("disable", {"http", "shared"}) == "failed");
}

BOOST_AUTO_TEST_CASE(a_rule_can_be_told_by_virtual_ip_and_port_when_it_is_this_ones_alone) {
    BOOST_TEST(give("disable", {"192.0.2.100:80"}) == "ok");
    BOOST_TEST((execution->orders().rule("http") == RuleOrder::disabled));
    BOOST_TEST(give("enable", {"192.0.2.100:80"}) == "ok");
    BOOST_TEST(give("disable", {"192.0.2.101:80"}) == "refused");
    BOOST_TEST(give("disable", {"192.0.2.100:81"}) == "refused");
    BOOST_TEST(give("disable", {"192.0.2.100:53"}) == "refused"); // of both virtual IPs
    BOOST_TEST((execution->orders() == Orders{}));
}

BOOST_AUTO_TEST_CASE(orders_for_rules_are_there_from_the_first_packet_after_a_restart) {
    BOOST_TEST(give("disable", {"http"}) == "ok");
    BOOST_TEST(give("drain-rule", {"shared"}) == "ok");
    const Orders orders = file.load();
    const auto settings = agent::filter_settings(config, {}, orders);
    BOOST_TEST(settings.rules[0].disabled);
    BOOST_TEST(!settings.rules[1].disabled);
    BOOST_TEST((agent::membership_settings(config, config.nodes[0], {}, orders).eligible & 3) == 0u);
}

BOOST_AUTO_TEST_CASE(a_weight_holds_until_default) {
    BOOST_TEST(give("weight", {"40"}) == "ok");
    cluster.run(200ms);
    BOOST_TEST(weight() == 40u);
    BOOST_TEST(agent::membership_settings(config, config.nodes[0], {}, file.load()).weight == 40);
    BOOST_TEST(give("weight", {"default"}) == "ok");
    cluster.run(200ms);
    BOOST_TEST(weight() == 100u);
    for (const char *wrong : {"", "101", "-1", "ten"})
        BOOST_TEST(give("weight", {wrong}) == "failed", wrong);
}

// Whatever is ordered meanwhile holds when it is able again.
BOOST_AUTO_TEST_CASE(a_node_that_is_not_able_to_serve_is_out_until_it_is) {
    execution->set_able(false);
    cluster.run(200ms);
    BOOST_TEST((state() == NodeState::stopped));
    BOOST_TEST(cluster.unserved_and_doubled().first == 0u);
    BOOST_TEST(give("start") == "ok");
    BOOST_TEST(give("weight", {"40"}) == "ok");
    cluster.run(200ms);
    BOOST_TEST((state() == NodeState::stopped));
    execution->set_able(true);
    cluster.run(1s);
    BOOST_TEST((state() == NodeState::active));
    BOOST_TEST(weight() == 40u);
    execution->set_able(false);
    BOOST_TEST(give("stop") == "ok");
    execution->set_able(true);
    cluster.run(1s);
    BOOST_TEST((state() == NodeState::stopped));
}

BOOST_AUTO_TEST_CASE(a_node_that_was_never_able_does_not_join) {
    restart();
    execution->set_able(false);
    cluster.run(3s);
    BOOST_TEST((state() == NodeState::stopped));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_is_not_obeyed) {
    BOOST_REQUIRE(mkdir((dir.path + "/state").c_str(), 0700) == 0);
    BOOST_REQUIRE(mkdir((file.path() + ".new").c_str(), 0700) == 0); // in the way
    for (const char *command : {"stop", "suspend", "drain"})
        BOOST_TEST(give(command) == "failed", command);
    BOOST_TEST(give("disable", {"http"}) == "failed");
    BOOST_TEST(give("weight", {"3"}) == "failed");
    cluster.run(1s);
    BOOST_TEST((state() == NodeState::active));
    BOOST_TEST(datapath().disabled.empty());
    BOOST_TEST(weight() == 100u);
    BOOST_TEST(give("start") == "ok"); // changes nothing, and so needs no disk
}

BOOST_AUTO_TEST_CASE(an_agent_that_ends_obeys_nothing) {
    execution->set_ending();
    for (const char *command : {"start", "stop", "drain", "suspend", "resume"})
        BOOST_TEST(give(command) == "refused", command);
}

BOOST_AUTO_TEST_SUITE_END()
