// SPDX-License-Identifier: Apache-2.0
// The list of events: causes in the cluster's own names, and how long a view took to be served.
#include "test/unit/node/fakes.hpp"

#include "agent/base/clock.hpp"
#include "agent/nlbctl/render.hpp"
#include "agent/node/events.hpp"

#include <boost/test/unit_test.hpp>

#include <regex>

namespace {

using namespace agent_test;
using namespace std::chrono_literals;
using agent::Json;
using Kind = heartbeat::Note::Kind;

heartbeat::Note view_note(std::uint64_t number) {
    return {Kind::view, "view 1." + std::to_string(number) + ": web2 added", {1, heartbeat::NodeId{1}, number}};
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_events)

BOOST_AUTO_TEST_CASE(a_view_is_timed_from_applied_to_served) {
    agent::EventLog log;
    log.add(10s, {Kind::leader, "leader: this node leads (term=1)"});
    log.add(10s, view_note(1));
    log.served(10s + 12'345us, {1, heartbeat::NodeId{1}, 1});
    log.served(20s, {1, heartbeat::NodeId{1}, 1}); // the tables again, not the view
    const Json events = agent::events(log, 13s);
    BOOST_REQUIRE(events.size() == 2u);
    BOOST_TEST(events[0]["kind"] == "view"); // the newest first
    BOOST_TEST(events[0]["took_ms"] == 12.345);
    BOOST_TEST(events[0]["ago_ms"] == 3000);
    BOOST_TEST(events[0]["view"] == (Json{{"term", 1}, {"number", 1}}));
    BOOST_TEST(events[1]["took_ms"].is_null());
    BOOST_TEST(events[1]["view"].is_null());
    const std::regex moment(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)");
    BOOST_TEST(std::regex_match(events[0]["at"].get<std::string>(), moment), events[0]["at"]);
}

BOOST_AUTO_TEST_CASE(a_view_that_another_one_or_the_end_of_a_life_overtakes_is_never_served) {
    agent::EventLog log;
    log.add(10s, view_note(1));
    log.add(11s, view_note(2));
    log.served(12s, {1, heartbeat::NodeId{1}, 1});
    log.add(13s, {Kind::life, "web1: starts a new life (lease expired)"});
    log.served(14s, {1, heartbeat::NodeId{1}, 2});
    const Json events = agent::events(log, 20s);
    for (int i : {1, 2}) {
        BOOST_TEST(events[i]["took_ms"].is_null());
        BOOST_TEST(events[i]["overtaken"] == true);
    }
}

BOOST_AUTO_TEST_CASE(the_oldest_are_forgotten) {
    agent::EventLog log;
    for (std::uint64_t number = 1; number <= agent::EventLog::kKept + 5; ++number)
        log.add(10s, view_note(number));
    BOOST_TEST(log.events().size() == agent::EventLog::kKept);
    BOOST_TEST(agent::events(log, 11s)[0]["view"]["number"] == agent::EventLog::kKept + 5);
}

BOOST_AUTO_TEST_CASE(a_node_tells_what_happened_to_its_cluster_and_why) {
    TestCluster cluster(3);
    cluster.run(3s);
    const auto newest_view = [&](int node) {
        const Json events = agent::events(cluster.machine(node).node->events(), cluster.now());
        return *std::ranges::find(events, Json("view"), [](const Json &e) { return e["kind"]; });
    };
    for (int node : {1, 2, 3})
        BOOST_TEST(newest_view(node)["took_ms"].is_number());
    cluster.machine(3).node->step(cluster.now(), heartbeat::event::Drain{});
    cluster.run(300ms);
    BOOST_TEST(newest_view(2)["text"].get<std::string>().find(
                   ": node 3 weight 100 to 0 (draining) (leader=node 1)") != std::string::npos);
    cluster.machine(3).node->step(cluster.now(), heartbeat::event::Stop{});
    cluster.run(300ms);
    for (int node : {1, 2})
        BOOST_TEST(newest_view(node)["text"].get<std::string>().find(
                       ": node 3 removed (stopped)") != std::string::npos);
    cluster.machine(2).connected = false;
    cluster.run(2s);
    const std::string text = newest_view(1)["text"];
    BOOST_TEST(std::regex_search(text, std::regex(": node 2 removed \\(not heard for \\d+ ms\\)")),
               text);
}

BOOST_AUTO_TEST_CASE(people_see_when_how_long_and_what) {
    agent::EventLog log;
    log.add(10s, {Kind::leader, "leader: this node leads (term=1)"});
    log.add(10s, view_note(1));
    log.add(11s, view_note(2));
    log.served(11s + 8'200us, {1, heartbeat::NodeId{1}, 2});
    log.add(12s, view_note(3));
    const std::string text = agent::render_events(agent::events(log, 12s), false);
    BOOST_TEST(text.find("  when") == 0u);
    const std::regex lines(R"(  when\s+served after  what\n)"
                           R"(  \d\d:\d\d:\d\d    not served  view 1.3: web2 added\n)"
                           R"(  \d\d:\d\d:\d\d        8.2 ms  view 1.2: web2 added\n)"
                           R"(  \d\d:\d\d:\d\d     overtaken  view 1.1: web2 added\n)"
                           R"(  \d\d:\d\d:\d\d                leader: this node leads \(term=1\)\n)");
    BOOST_TEST(std::regex_match(text, lines), text);
    BOOST_TEST(agent::local_time(13h).size() == std::string("2026-11-24 13:27:32").size());
}

BOOST_AUTO_TEST_SUITE_END()
