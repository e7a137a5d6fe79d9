// SPDX-License-Identifier: Apache-2.0
// Membership and datapath tied together: nodes in one process, a virtual clock, a network of
// vectors.
#include "test/unit/node/fakes.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

namespace {

using namespace agent_test;
using namespace std::chrono_literals;
using heartbeat::NodeState;

NodeState state(TestCluster &cluster, int id) {
    return cluster.machine(id).node->status(cluster.now()).state;
}

// Positions of the last two calls by name; the order matters.
bool before(const std::vector<std::string> &calls, const std::string &first,
            const std::string &second) {
    const auto a = std::find(calls.begin(), calls.end(), first);
    return a != calls.end() && std::find(a, calls.end(), second) != calls.end();
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_node)

BOOST_AUTO_TEST_CASE(a_new_node_closes_the_filter_before_it_says_a_word) {
    TestCluster cluster(1);
    const FakeDatapath &datapath = cluster.machine(1).datapath;
    BOOST_TEST(datapath.lease == 0u);
    BOOST_TEST(datapath.tables.size() == 2u);
    BOOST_TEST(!datapath.serves(0, 0));
    BOOST_TEST(cluster.machine(1).node->beats().sent == 0u);
}

BOOST_AUTO_TEST_CASE(three_nodes_serve_every_bucket_once_and_one_answers) {
    TestCluster cluster(3);
    cluster.run(3s);
    for (int id : {1, 2, 3})
        BOOST_TEST((state(cluster, id) == NodeState::active));
    BOOST_TEST((cluster.unserved_and_doubled() == std::make_pair(0u, 0u)));
    int answering = 0;
    for (int id : {1, 2, 3})
        answering += cluster.machine(id).node->answers(cluster.now()) != 0;
    BOOST_TEST(answering == 1);
    BOOST_TEST(cluster.machine(1).node->answers(cluster.now()));
    BOOST_TEST(!cluster.machine(1).notes.empty());
    BOOST_TEST(cluster.machine(1).node->events().events().size() == cluster.machine(1).notes.size());
}

BOOST_AUTO_TEST_CASE(buckets_linger_before_they_are_let_go) {
    TestCluster cluster(2);
    cluster.machine(2).connected = false;
    cluster.run(2s);
    BOOST_TEST(cluster.machine(1).datapath.serves(0, 0));
    cluster.machine(1).datapath.calls.clear();
    cluster.machine(2).connected = true;
    for (int i = 0; i < 3000 && cluster.machine(1).datapath.calls.end() ==
                                    std::find(cluster.machine(1).datapath.calls.begin(),
                                              cluster.machine(1).datapath.calls.end(), "install");
         ++i)
        cluster.run(1ms);
    BOOST_TEST(before(cluster.machine(1).datapath.calls, "lingering", "install"));
    BOOST_TEST((cluster.machine(1).datapath.lingering != filter::GroupSet{}));
    cluster.run(6s);
    BOOST_TEST((cluster.machine(1).datapath.lingering == filter::GroupSet{}));
}

BOOST_AUTO_TEST_CASE(a_group_lingers_while_it_holds_a_connection_that_is_not_served_here) {
    TestCluster cluster(2);
    auto &machine = cluster.machine(1);
    cluster.machine(2).connected = false;
    cluster.run(2s);
    machine.connections.resize(2);
    machine.connections[0].fill(~std::uint64_t{0}); // everywhere
    cluster.machine(2).connected = true;
    cluster.run(10s);
    filter::GroupSet served{}, all;
    all.fill(~std::uint64_t{0});
    BOOST_TEST((machine.datapath.lingering == all)); // web2 has a bucket in every group
    machine.connections[0] = {};
    machine.connections[0][2] = ~std::uint64_t{0}; // buckets 128 to 191: group 1
    cluster.run(8s);
    served[0] = 2;
    BOOST_TEST((machine.datapath.lingering == served));
    machine.connections[0] = machine.datapath.tables[0].mine; // only where it serves
    cluster.run(8s);
    BOOST_TEST((machine.datapath.lingering == filter::GroupSet{}));
}

BOOST_AUTO_TEST_CASE(without_a_list_of_sockets_nothing_stops_lingering) {
    TestCluster cluster(2);
    agent::Node &node = *cluster.machine(1).node;
    const std::vector<filter::BucketSet> one{{1}};
    node.connections(cluster.now(), 1, one);
    const auto lingering = node.lingering().groups();
    BOOST_TEST((lingering == filter::GroupSet{1}));
    for (int second = 1; second < 60; ++second)
        node.tick(cluster.now() + second * 1s);
    BOOST_TEST((node.lingering().groups() == lingering));
    node.connections(cluster.now() + 60s, 0, {});
    BOOST_TEST(!node.lingering().any());
}

BOOST_AUTO_TEST_CASE(a_dead_nodes_buckets_are_served_by_the_others_and_guarded_first) {
    TestCluster cluster(3);
    cluster.run(3s);
    cluster.machine(3).connected = false;
    cluster.machine(1).datapath.calls.clear();
    cluster.run(1s);
    BOOST_TEST(before(cluster.machine(1).datapath.calls, "guarded", "install"));
    cluster.machine(3).datapath.tables.assign(2, {}); // switched off
    BOOST_TEST((cluster.unserved_and_doubled() == std::make_pair(0u, 0u)));
}

BOOST_AUTO_TEST_CASE(a_staged_configuration_waits_for_the_last_member_and_everything_lingers_when_it_comes) {
    TestCluster cluster(2);
    cluster.run(3s);
    const auto stage = [&](int id, heartbeat::Digest config) {
        auto &machine = cluster.machine(id);
        agent::StagedConfig staged;
        staged.settings = cluster.settings(id);
        staged.settings.config = config;
        staged.rules = {single_rule(), shared_rule()};
        staged.envelope = test_envelope();
        staged.former = {std::nullopt, 0, std::nullopt};
        staged.before = [&machine] { machine.datapath.calls.emplace_back("before"); };
        machine.datapath.calls.clear();
        machine.node->stage(cluster.now(), std::move(staged));
    };
    stage(1, 5);
    cluster.run(3s);
    BOOST_TEST(cluster.machine(1).node->status(cluster.now()).staged);
    BOOST_TEST(cluster.machine(1).datapath.tables.size() == 2u);
    stage(1, cluster.settings(1).config); // takes it back
    BOOST_TEST(!cluster.machine(1).node->status(cluster.now()).staged);
    stage(1, 5);
    stage(2, 5);
    cluster.run(100ms);
    for (int id : {1, 2}) {
        const FakeDatapath &datapath = cluster.machine(id).datapath;
        BOOST_TEST(cluster.machine(id).node->config() == 5u);
        BOOST_TEST((state(cluster, id) == NodeState::active));
        BOOST_TEST(before(datapath.calls, "lingering", "before"));
        BOOST_TEST(before(datapath.calls, "before", "configure"));
        BOOST_TEST(before(datapath.calls, "configure", "install"));
        BOOST_TEST(datapath.tables.size() == 3u);
    }
    filter::GroupSet all;
    all.fill(~std::uint64_t{0});
    BOOST_TEST((cluster.machine(1).datapath.lingering == all));
    BOOST_TEST((cluster.unserved_and_doubled() == std::make_pair(0u, 0u)));
    cluster.run(8s);
    BOOST_TEST((cluster.machine(1).datapath.lingering == filter::GroupSet{}));
}

BOOST_AUTO_TEST_CASE(a_node_that_leaves_is_gone_at_once_and_missed_by_nobody) {
    TestCluster cluster(3);
    cluster.run(3s);
    cluster.machine(2).node->step(cluster.now(), heartbeat::event::Leave{});
    cluster.run(100ms);
    BOOST_TEST(cluster.machine(2).node->gone(cluster.now()));
    BOOST_TEST(!cluster.machine(2).datapath.serves(0, 0));
    BOOST_TEST((cluster.unserved_and_doubled() == std::make_pair(0u, 0u)));
}

BOOST_AUTO_TEST_CASE(routers_may_send_to_a_node_while_it_serves_and_no_longer_than_its_lease) {
    TestCluster cluster(3);
    const auto until = [&](int id) { return cluster.machine(id).node->receives_until(50ms); };
    BOOST_TEST((until(2) == heartbeat::Time{}));
    cluster.run(3s);
    BOOST_TEST((until(2) == cluster.machine(2).node->lease_until() - 50ms));
    BOOST_TEST((until(2) > cluster.now()));
    for (const heartbeat::Event &event : {heartbeat::Event{heartbeat::event::Drain{}}, heartbeat::Event{heartbeat::event::Stop{}}}) {
        cluster.machine(2).node->step(cluster.now(), event);
        BOOST_TEST((until(2) == heartbeat::Time{})); // before the others know
        cluster.machine(2).node->step(cluster.now(), heartbeat::event::Start{});
        cluster.run(3s);
        BOOST_TEST((until(2) > cluster.now()));
    }
    cluster.machine(2).node->step(cluster.now(), heartbeat::event::SetWeight{0});
    cluster.run(1s);
    BOOST_TEST((until(2) == heartbeat::Time{}));
    BOOST_TEST((until(1) > cluster.now()));
}

BOOST_AUTO_TEST_CASE(garbage_is_counted_by_reason_and_changes_nothing) {
    TestCluster cluster(1);
    cluster.run(2s);
    agent::Node &node = *cluster.machine(1).node;
    const auto calls = cluster.machine(1).datapath.calls.size();
    const std::vector<std::uint8_t> garbage(600, 0x5a), nothing,
        longer(heartbeat::kMaxDatagram + 1);
    for (int i = 0; i < 1000; ++i) {
        node.receive(cluster.now(), garbage);
        node.receive(cluster.now(), nothing);
        node.receive(cluster.now(), longer);
    }
    const auto &refused = node.beats().refused;
    const auto count = [&](heartbeat::Refusal refusal) {
        return refused[static_cast<std::size_t>(refusal)];
    };
    BOOST_TEST(count(heartbeat::Refusal::too_short) == 1000u);
    BOOST_TEST(count(heartbeat::Refusal::too_long) == 1000u);
    BOOST_TEST(count(heartbeat::Refusal::foreign_protocol) == 1000u);
    BOOST_TEST(node.beats().received == 0u);
    BOOST_TEST(cluster.machine(1).datapath.calls.size() == calls);
    BOOST_TEST((state(cluster, 1) == NodeState::active));
}

BOOST_AUTO_TEST_CASE(an_agent_killed_and_started_within_its_lease_goes_on_as_if_nothing_had_been) {
    for (int number : {1, 2}) { // the leader, and a follower
        TestCluster cluster(3);
        cluster.run(3s);
        auto &machine = cluster.machine(number);
        const auto life = machine.node->status(cluster.now()).life;
        machine.start();
        for (int step = 0; step < 1000; ++step) {
            cluster.run(1ms);
            BOOST_REQUIRE((cluster.unserved_and_doubled() == std::make_pair(0u, 0u)));
        }
        BOOST_TEST(machine.node->resumed());
        BOOST_TEST(machine.node->status(cluster.now()).life == life);
        for (int other : {1, 2, 3})
            BOOST_TEST((state(cluster, other) == NodeState::active));
    }
}

BOOST_AUTO_TEST_CASE(a_successor_writes_again_what_its_predecessor_died_over) {
    TestCluster cluster(3);
    cluster.run(3s);
    auto &machine = cluster.machine(2);
    machine.node.reset();
    machine.datapath.tables[0].mine = {}; // let go, and not noted yet
    machine.datapath.guarded.fill(~std::uint64_t{0});
    machine.datapath.lease = 1;
    machine.start();
    BOOST_REQUIRE(machine.node->resumed());
    BOOST_TEST((cluster.unserved_and_doubled() == std::make_pair(0u, 0u)));
    BOOST_TEST((machine.datapath.guarded == machine.node->guarded()));
}

BOOST_AUTO_TEST_CASE(what_somebody_else_wrote_into_the_filter_is_found_and_written_again) {
    TestCluster cluster(3);
    cluster.run(3s);
    auto &machine = cluster.machine(2);
    BOOST_TEST(machine.node->put_right() == "");
    machine.datapath.tables[0].mine = {};
    BOOST_TEST(machine.node->put_right() == "something");
    BOOST_TEST(machine.node->put_right() == "");
    BOOST_TEST(machine.node->times_put_right() == 1u);
    BOOST_TEST((cluster.unserved_and_doubled() == std::make_pair(0u, 0u)));
}

BOOST_AUTO_TEST_CASE(an_agent_started_after_its_lease_begins_a_new_life) {
    TestCluster cluster(3);
    cluster.run(3s);
    auto &machine = cluster.machine(2);
    const auto life = machine.node->status(cluster.now()).life;
    machine.node.reset();
    cluster.run(600ms);
    BOOST_TEST((cluster.unserved_and_doubled() == std::make_pair(0u, 0u)));
    machine.start();
    BOOST_TEST(!machine.node->resumed());
    BOOST_TEST(!machine.datapath.serves(0, 0));
    for (std::uint64_t word : machine.datapath.lingering) // its connections live on
        BOOST_TEST(word == ~std::uint64_t{0});
    cluster.run(2s);
    BOOST_TEST(machine.node->status(cluster.now()).life != life);
    BOOST_TEST((state(cluster, 2) == NodeState::active));
}

BOOST_AUTO_TEST_SUITE_END()
