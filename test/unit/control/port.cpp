// SPDX-License-Identifier: Apache-2.0
// Commands between nodes, over the loopback interface: a caller that holds the key is let in, any
// other is not, and is counted.
#include "agent/base/clock.hpp"
#include "agent/control/gate.hpp"
#include "agent/control/port.hpp"
#include "agent/control/relay.hpp"
#include "test/unit/wakes_at.hpp"

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.hpp>

namespace {

using agent::Json;
using agent::CallerEvent;
using namespace std::chrono_literals;

const auto kPort = static_cast<std::uint16_t>(20000 + getpid() % 10000); // two runs at once are two

agent::Config three_nodes() {
    agent::Config config;
    config.cluster_name = "web";
    config.control_port = kPort;
    for (std::uint8_t id = 1; id <= 3; ++id) {
        config.nodes.emplace_back().id = id;
        config.nodes.back().name = "web" + std::to_string(id);
    }
    return config;
}

agent::InForce first_of_three(const agent::ClusterKey &key) {
    const agent::Config config = three_nodes();
    return {config, config.nodes[0], {key, {}}};
}

// web2's agent as far as commands go; web1 has a relay to it.
struct Pair {
    agent::InForce in_force;
    agent::Commands here, there;
    agent::Relay relay;
    std::optional<agent::ControlPort> port;

    explicit Pair(const agent::ClusterKey &callers = {7}, const agent::ClusterKey &listeners = {7})
        : in_force(first_of_three(callers)), relay(in_force, here, agent::boot_now) {
        for (agent::Commands *commands : {&here, &there}) {
            commands->add("echo", [](const auto &args) { return Json(args); });
            commands->add("refuse", [](const auto &) -> Json { throw agent::Denied("not now"); });
        }
        try {
            port.emplace(std::vector<std::string>{"lo"}, kPort, listeners);
        } catch (const std::exception &error) {
            BOOST_TEST_MESSAGE(error.what());
        }
        relay.heard(heartbeat::NodeId{2}, {{127, 0, 0, 1}});
    }

    void turn() {
        if (port) port->serve(agent::boot_now(), there);
        usleep(500);
    }
    Json ask(const std::string &node, const std::string &command,
             const agent::Commands::Arguments &args = {}) {
        for (auto later = relay.ask(node, command, args, "user 7");; turn())
            if (const auto result = later()) return (*result)["nodes"];
    }
    template <class Condition>
    bool wait_for(Condition condition) {
        for (int turns = 0; turns < 20'000; ++turns, turn())
            if (condition()) return true;
        return false;
    }
    std::uint64_t count(const char *counter) { return port->counters()[counter]; }
};

int knock() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kPort);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof address);
    usleep(2000);
    return fd;
}

void say(int fd, const std::string &text) { send(fd, text.data(), text.size(), MSG_NOSIGNAL); }

} // namespace

BOOST_AUTO_TEST_SUITE(control_port)

BOOST_AUTO_TEST_CASE(a_command_travels_and_its_answer_comes_back) {
    Pair pair;
    BOOST_TEST_REQUIRE(pair.port.has_value());
    BOOST_TEST(pair.ask("web2", "echo", {"a", "b"}) == Json::parse(R"(
        [{"id": 2, "name": "web2", "ok": true, "result": ["a", "b"]}])"));
    BOOST_TEST(pair.ask("2", "refuse") == Json::parse(R"(
        [{"id": 2, "name": "web2", "ok": false, "code": "refused", "error": "not now"}])"));
    BOOST_TEST(pair.there.counters()["answered"] == 1);
    BOOST_TEST(pair.there.counters()["refused"] == 1);
    BOOST_TEST(pair.count("callers") == 2u);
    BOOST_TEST(pair.ask("", "echo", {"here"})[0]["name"] == "web1"); // goes nowhere
    BOOST_TEST(pair.there.counters()["answered"] == 1);
    BOOST_CHECK_THROW(pair.relay.ask("web9", "echo", {}, ""), agent::Denied);
}

BOOST_AUTO_TEST_CASE(all_reaches_each_node_and_names_those_that_cannot_be_reached) {
    Pair pair;
    BOOST_TEST_REQUIRE(pair.port.has_value());
    const Json nodes = pair.ask("all", "echo", {"x"});
    BOOST_REQUIRE(nodes.size() == 3u);
    BOOST_TEST(nodes[0]["ok"] == true);
    BOOST_TEST(nodes[1]["ok"] == true);
    BOOST_TEST(nodes[2]["code"] == "no_answer");
    BOOST_TEST(nodes[2]["error"].get<std::string>().find("never heard") == 0u);
}

BOOST_AUTO_TEST_CASE(who_does_not_answer_is_said_so_when_the_time_is_up) {
    heartbeat::Time now = 100s;
    agent::Commands commands;
    const agent::InForce in_force = first_of_three({7});
    agent::Relay relay(in_force, commands, [&] { return now; });
    relay.heard(heartbeat::NodeId{2}, {{127, 0, 0, 1}}); // no process listens
    const auto beating = relay.ask("web2", "echo", {}, "");
    BOOST_TEST(!beating());
    BOOST_TEST((agent_test::wakes_at(relay) == now + agent::Relay::kPatience));
    now += agent::Relay::kPatience;
    BOOST_TEST((*beating())["nodes"][0]["error"] == "does not answer within 7 s");
    const auto silent = relay.ask("web2", "echo", {}, "");
    BOOST_TEST(!silent());
    BOOST_TEST((agent_test::wakes_at(relay) == now + agent::Relay::kSilentPatience));
    now += agent::Relay::kSilentPatience;
    BOOST_TEST((*silent())["nodes"][0]["code"] == "no_answer");
    BOOST_TEST((agent_test::wakes_at(relay) == heartbeat::kNever));
}

BOOST_AUTO_TEST_CASE(another_key_gets_no_answer_on_either_side_and_is_counted) {
    Pair pair({7}, {8});
    BOOST_TEST_REQUIRE(pair.port.has_value());
    const auto later = pair.relay.ask("web2", "echo", {}, "");
    BOOST_TEST(pair.wait_for([&] { return pair.count("wrong_key") > 0; }));
    BOOST_TEST(!later());
    BOOST_TEST(pair.there.counters()["answered"] == 0);
    BOOST_TEST(pair.count("callers") == 0u);
}

// The listener's public key has leaked, or the caller's role is played with the listener's own
// pair.
BOOST_AUTO_TEST_CASE(who_knows_the_listener_but_is_no_caller_of_the_cluster_is_let_in_by_nobody) {
    Pair pair;
    BOOST_TEST_REQUIRE(pair.port.has_value());
    const agent::CurveKeys listener = agent::listener_keys({7});
    std::uint64_t refused = 0;
    for (const agent::CurveKeys &own : {agent::caller_keys({8}), listener}) {
        zmq::context_t context;
        zmq::socket_t stranger(context, zmq::socket_type::dealer);
        stranger.set(zmq::sockopt::linger, 0);
        stranger.set(zmq::sockopt::curve_serverkey, zmq::buffer(listener.open));
        stranger.set(zmq::sockopt::curve_publickey, zmq::buffer(own.open));
        stranger.set(zmq::sockopt::curve_secretkey, zmq::buffer(own.secret));
        stranger.connect("tcp://127.0.0.1:" + std::to_string(kPort));
        stranger.send(zmq::str_buffer(R"({"command":"echo"})"));
        BOOST_TEST(pair.wait_for([&] { return pair.count("wrong_key") > refused; }));
        refused = pair.count("wrong_key");
        BOOST_TEST(pair.there.counters()["answered"] == 0);
    }
    BOOST_TEST(pair.count("callers") == 0u);
}

BOOST_AUTO_TEST_CASE(knocking_garbage_and_dawdling_are_counted_by_kind) {
    Pair pair;
    BOOST_TEST_REQUIRE(pair.port.has_value());
    close(knock());
    BOOST_TEST(pair.wait_for([&] { return pair.count("cut_off") == 1; }));
    const int garbage = knock();
    say(garbage, "GET / HTTP/1.1\r\nHost: web2\r\n\r\n");
    BOOST_TEST(pair.wait_for([&] { return pair.count("not_zeromq") == 1; }));
    close(garbage);
    const int dawdler = knock();
    say(dawdler, std::string("\xff\0\0", 3)); // the beginning of a greeting
    BOOST_TEST(pair.wait_for([&] { return pair.count("cut_off") == 2; }));
    close(dawdler);
    BOOST_TEST(pair.ask("web2", "echo")[0]["ok"] == true);
}

BOOST_AUTO_TEST_CASE(a_crowd_is_held_off_and_then_commands_get_in_again) {
    Pair pair;
    BOOST_TEST_REQUIRE(pair.port.has_value());
    std::vector<int> crowd;
    for (std::size_t i = 0; i < 3 * agent::ControlPort::kMostOpen; ++i) {
        crowd.push_back(knock());
        pair.turn();
    }
    BOOST_TEST(pair.wait_for([&] { return pair.count("held_off") > 0; }));
    for (const int one : crowd)
        close(one);
    pair.relay.heard(heartbeat::NodeId{2}, {{127, 0, 0, 1}}); // beats all the while
    BOOST_TEST(pair.ask("web2", "echo")[0]["ok"] == true);
}

BOOST_AUTO_TEST_CASE(a_port_that_is_taken_is_named_and_had_as_soon_as_it_is_free) {
    std::optional<agent::ControlPort> first(std::in_place, std::vector<std::string>{"lo"}, kPort,
                                            agent::ClusterKey{7});
    BOOST_TEST(!first->obstacle().has_value());
    agent::ControlPort nowhere({"nlb-none"}, kPort, {7});
    BOOST_TEST(nowhere.obstacle().value().starts_with("listen for commands on nlb-none"));
    agent::ControlPort second({"lo"}, kPort, {7});
    second.look_after();
    BOOST_TEST(second.obstacle().value().starts_with("listen for commands on lo"));
    first.reset();
    second.look_after();
    BOOST_TEST(!second.obstacle().has_value());
}

BOOST_AUTO_TEST_CASE(knocks_add_up) {
    agent::Callers knocks;
    const auto take = [&](std::initializer_list<std::pair<CallerEvent, std::uint32_t>> events,
                          heartbeat::Time at = 10s) {
        for (const auto &[knock, value] : events)
            knocks.take(knock, value, at);
    };
    take({{CallerEvent::accepted, 5}, {CallerEvent::proved, 0}, {CallerEvent::accepted, 6}, {CallerEvent::closed, 6}});
    BOOST_TEST(knocks.open() == 1u);
    BOOST_TEST(knocks.garbage() == 0u); // it may have been the one that proved its key
    take({{CallerEvent::closed, 5}});
    BOOST_TEST(knocks.garbage() == 1u);
    take({{CallerEvent::accepted, 5}, {CallerEvent::wrong_key, 0}, {CallerEvent::closed, 5}});
    take({{CallerEvent::accepted, 5}, {CallerEvent::cut_off, 0}, {CallerEvent::closed, 5}});
    take({{CallerEvent::accepted, 5}, {CallerEvent::not_expected, 0}, {CallerEvent::closed, 5}});
    BOOST_TEST(knocks.garbage() == 1u);
    BOOST_TEST(knocks.wrong_key() + knocks.cut_off() + knocks.not_expected() == 3u);
    BOOST_TEST(knocks.open() == 0u);
    BOOST_TEST(knocks.lately(10500ms) == 5u);
    BOOST_TEST(knocks.lately(11s) == 0u);
    take({{CallerEvent::accepted, 5}}, 20s);
    BOOST_TEST(knocks.lately(20s) == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
