// SPDX-License-Identifier: Apache-2.0
// Health on a clock of the test's: single results, listeners, checks and what the filter is told.
#include "test/unit/config/texts.hpp"
#include "test/unit/node/fakes.hpp"

#include "agent/health/health.hpp"
#include "agent/health/http.hpp"

#include <boost/test/unit_test.hpp>

#include <map>

namespace {

using namespace std::chrono_literals;
using agent::CheckResult;
using agent::HealthState;
using heartbeat::Time;

const CheckResult kWorks{true, ""}, kFails{false, "it does not"};

void take(HealthState &state, Time &now, const CheckResult &finding, int times = 1) {
    for (int i = 0; i < times; ++i)
        state.take(now += 1s, finding);
}

// Down and up again, as fast as it can.
void flap(HealthState &state, Time &now) {
    take(state, now, kFails);
    take(state, now, kWorks);
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_health_state)

BOOST_AUTO_TEST_CASE(the_first_result_decides_by_itself) {
    HealthState up(3, 3), down(3, 3);
    BOOST_TEST(!up.healthy());
    BOOST_TEST(up.reason(0s) == "not examined yet");
    up.take(1s, kWorks);
    BOOST_TEST(up.healthy());
    down.assume(true);
    BOOST_TEST(down.healthy());
    down.take(1s, kFails);
    BOOST_TEST(!down.healthy());
    BOOST_TEST(down.reason(1s) == "it does not");
    down.assume(true); // too late
    BOOST_TEST(!down.healthy());
}

BOOST_AUTO_TEST_CASE(so_many_in_a_row_change_it_and_one_that_differs_begins_anew) {
    HealthState state(2, 3);
    Time now = 100s;
    take(state, now, kWorks);
    take(state, now, kFails, 2);
    take(state, now, kWorks);
    take(state, now, kFails, 2);
    BOOST_TEST(state.healthy());
    take(state, now, kFails);
    BOOST_TEST(!state.healthy());
    take(state, now, kWorks);
    BOOST_TEST(!state.healthy());
    BOOST_TEST(state.reason(now) == "works again, but not for long enough yet");
    take(state, now, kFails);
    take(state, now, kWorks);
    BOOST_TEST(!state.healthy());
    take(state, now, kWorks);
    BOOST_TEST(state.healthy());
    BOOST_TEST(state.reason(now) == "");
}

BOOST_AUTO_TEST_CASE(three_falls_cost_nothing_and_each_further_one_doubles_the_hold) {
    HealthState state(1, 1);
    Time now = 1000s;
    take(state, now, kWorks);
    for (int falls = 1; falls <= 3; ++falls) {
        flap(state, now);
        BOOST_TEST(state.healthy());
    }
    for (const Time hold : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
        state.take(now, kFails);
        const Time fell = now;
        BOOST_TEST(((state.held_until() - fell) == hold));
        state.take(fell + hold - 1ms, kWorks);
        BOOST_TEST(!state.healthy());
        BOOST_TEST(state.held(fell + hold - 1ms));
        BOOST_TEST((state.hold_left(fell + hold - 1ms) == 1ms));
        now = fell + hold;
        state.take(now, kWorks);
        BOOST_TEST(state.healthy());
        if (hold == 16s) break; // from here on time itself forgets
    }
    BOOST_TEST(state.falls(now) == 8u);
}

BOOST_AUTO_TEST_CASE(the_hold_is_a_minute_at_most) {
    HealthState state(1, 1);
    Time now = 1000s;
    take(state, now, kWorks);
    for (int i = 0; i < 40; ++i) {
        state.take(now, kFails);
        BOOST_TEST((state.held_until() - now <= 60s));
        state.release(now);
        state.take(now, kWorks);
        BOOST_TEST(state.healthy());
    }
    BOOST_TEST(state.falls(now) == 40u);
    BOOST_TEST(state.falls(now + 20min) == 20u);
    BOOST_TEST(state.falls(now + 40min) == 0u);
    now += 41min;
    state.take(now, kFails);
    BOOST_TEST((state.held_until() == now));
}

BOOST_AUTO_TEST_CASE(what_is_held_says_for_how_long_and_a_release_ends_it) {
    HealthState state(1, 1);
    Time now = 1000s;
    take(state, now, kWorks);
    for (int i = 0; i < 6; ++i) {
        state.take(now, kFails);
        state.release(now);
        state.take(now, kWorks);
    }
    state.take(now, kFails);
    state.release(now + 1s);
    BOOST_TEST(!state.healthy()); // it does not work: nothing to release
    state = HealthState(1, 1);
    take(state, now, kWorks);
    for (int i = 0; i < 4; ++i)
        flap(state, now);
    take(state, now, kFails);
    state.take(now + 500ms, kWorks);
    BOOST_TEST(state.reason(now + 500ms) == "works again, held down for 2 s more: it fell 5 times");
    state.release(now + 600ms);
    BOOST_TEST(state.healthy());
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

struct FakeCheck : agent::HealthCheck {
    struct Script {
        std::optional<CheckResult> next; // the result of what is under way
        int begun = 0, aborted = 0;
        bool ends = true;
        std::string lack; // of the agent
    };
    explicit FakeCheck(Script &of) : script(of) {}
    Script &script;

    bool begin() override {
        if (!script.lack.empty()) throw std::runtime_error(script.lack);
        if (script.ends) ++script.begun;
        return script.ends;
    }
    std::optional<CheckResult> handle() override { return std::exchange(script.next, std::nullopt); }
    void abort() override { ++script.aborted; }
    void wait(agent::Poll &) const override {}
};

struct ServiceDatapath : agent_test::FakeDatapath {
    std::map<std::size_t, std::pair<bool, std::optional<filter::Service>>> expected;
    std::uint32_t missed = 0;
    void expect_service(std::size_t rule, bool wanted,
                        const std::optional<filter::Service> &known) override {
        expected[rule] = {wanted, known};
        calls.push_back("expect");
    }
    std::uint32_t take_missed() override { return std::exchange(missed, 0u); }
};

using agent_test::rule;
using agent_test::two_nodes;
using agent_test::virtual_ip;

const std::string kTables =
    virtual_ip("192.0.2.100") + virtual_ip("2001:db8::100") + rule("http", "tcp", "80") +
    rule("dns", "udp", "53") +
    rule("many", "tcp", "8000-8999", "virtual_ips = [\"192.0.2.100\"]") +
    rule("checked", "tcp", "443",
         "health = { type = \"tcp\", interval_ms = 1000, timeout_ms = 300, rise = 2, fall = 2 }");

agent::Listener on(const char *address, std::uint16_t port, bool v6_only = false, int interface = 0) {
    return {*filter::parse_ip(address), port, v6_only, interface};
}

struct Fixture {
    agent::Config config = two_nodes(kTables);
    ServiceDatapath datapath;
    FakeCheck::Script script;
    std::vector<agent::Listener> listeners{on("::", 80), on("192.0.2.100", 8001)};
    bool listed = true;
    int looks = 0;
    Time now = 1000s;
    std::optional<agent::Health> health;

    void start() {
        health.emplace(config, checks(config), 7, datapath, now, [this] {
            ++looks;
            if (!listed) throw std::runtime_error("cannot list");
            return listeners;
        });
    }
    agent::HealthChecks checks(const agent::Config &of) {
        agent::HealthChecks made;
        for (const agent::RuleConfig &rule : of.rules)
            made.push_back(rule.name == "checked" ? std::make_unique<FakeCheck>(script) : nullptr);
        return made;
    }
    std::vector<std::string> run(Time time) {
        std::vector<std::string> texts;
        for (const Time end = now + time; now < end;) {
            now += 10ms;
            for (std::string &text : health->handle(now))
                texts.push_back(std::move(text));
        }
        return texts;
    }
    bool healthy(std::size_t rule) { return health->healthy() >> rule & 1; }
};

using Texts = std::vector<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(agent_health, Fixture)

BOOST_AUTO_TEST_CASE(at_the_start_listeners_are_known_and_checks_are_not) {
    start();
    BOOST_TEST(healthy(0));
    BOOST_TEST(healthy(1)); // health none
    BOOST_TEST(healthy(2));
    BOOST_TEST(!healthy(3));
    BOOST_TEST(health->reason(3, now) == "not examined yet");
    BOOST_TEST((run(10ms) == Texts{}));
    script.next = kWorks;
    BOOST_TEST((run(10ms) == Texts{"rule checked: healthy"}));
    BOOST_TEST(healthy(3));
}

BOOST_AUTO_TEST_CASE(a_service_that_is_not_there_at_the_start_is_told) {
    listeners.clear();
    start();
    BOOST_TEST(!healthy(0));
    BOOST_TEST((run(10ms) == Texts{"rule http: unhealthy (no process listens on port 80)",
                                   "rule many: unhealthy (no process listens on ports 8000-8999)"}));
}

BOOST_AUTO_TEST_CASE(a_missed_service_is_looked_for_at_once_and_is_gone_or_not) {
    start();
    run(60ms);
    const int before = looks;
    now += 1ms;
    listeners.erase(listeners.begin());
    datapath.missed = 1;
    BOOST_TEST((health->handle(now) == Texts{"rule http: unhealthy (no process listens on port 80)"}));
    BOOST_TEST(looks == before + 1);
    BOOST_TEST(!healthy(0));
    BOOST_TEST(healthy(2)); // another rule
    datapath.missed = 1; // nothing new
    health->handle(now);
    BOOST_TEST(looks == before + 1);
}

BOOST_AUTO_TEST_CASE(without_traffic_a_look_now_and_then_finds_it_and_three_bring_it_back) {
    start();
    listeners.erase(listeners.begin());
    run(60ms);
    BOOST_TEST(!healthy(0));
    listeners.push_back(on("::", 80));
    run(40ms);
    BOOST_TEST(!healthy(0));
    BOOST_TEST((run(40ms) == Texts{"rule http: healthy"}));
    BOOST_TEST(healthy(0));
}

BOOST_AUTO_TEST_CASE(the_filter_expects_the_service_and_a_second_after_its_end_leaves_it_to_the_stack) {
    start();
    run(10ms);
    BOOST_TEST(datapath.expected.at(0).first);
    BOOST_TEST((datapath.expected.at(0).second == filter::Service{*filter::parse_ip("192.0.2.100"), 80}));
    BOOST_TEST(!datapath.expected.at(1).first);
    BOOST_TEST((datapath.expected.at(2).second == filter::Service{*filter::parse_ip("192.0.2.100"), 8001}));
    BOOST_TEST(!datapath.expected.at(3).first); // of listeners alone
    listeners.clear();
    run(900ms);
    BOOST_TEST(datapath.expected.at(0).first);
    BOOST_TEST(!datapath.expected.at(0).second.has_value());
    run(300ms);
    BOOST_TEST(!datapath.expected.at(0).first);
    const auto calls = datapath.calls.size();
    run(1s);
    BOOST_TEST(datapath.calls.size() == calls); // told once
    listeners.push_back(on("::", 80));
    run(200ms);
    BOOST_TEST(datapath.expected.at(0).first);
}

BOOST_AUTO_TEST_CASE(a_listener_that_the_filter_cannot_see_is_left_to_the_stack) {
    start();
    run(10ms);
    datapath.missed = 1;
    run(10ms);
    BOOST_TEST(healthy(0));
    BOOST_TEST(!datapath.expected.at(0).first);
    run(1100ms);
    BOOST_TEST(datapath.expected.at(0).first);
}

BOOST_AUTO_TEST_CASE(which_listener_serves_which_rule) {
    const struct {
        agent::Listener listener;
        std::size_t rule;
        bool serves;
    } cases[] = {
        {on("0.0.0.0", 80), 0, true},
        {on("192.0.2.100", 80), 0, true},
        {on("2001:db8::100", 80), 0, true},
        {on("::", 80, true), 0, true}, // the IPv6 address
        {on("192.0.2.1", 80), 0, false},
        {on("127.0.0.1", 80), 0, false},
        {on("0.0.0.0", 81), 0, false},
        {on("0.0.0.0", 80, false, 7), 0, true},
        {on("0.0.0.0", 80, false, 1), 0, false}, // of lo alone
        {on("0.0.0.0", 8999), 2, true},
        {on("0.0.0.0", 9000), 2, false},
        {on("::", 8000), 2, true},        // dual stack
        {on("::", 8000, true), 2, false}, // IPv6 alone, the rule is of IPv4
        {on("2001:db8::100", 8000), 2, false},
    };
    for (const auto &one : cases)
        BOOST_TEST(agent::find_service({one.listener}, config.rules[one.rule], config.virtual_ips, 7)
                       .has_value() == one.serves,
                   filter::to_string(one.listener.address) << " port " << one.listener.port);
}

BOOST_AUTO_TEST_CASE(each_virtual_ip_of_a_rule_is_to_have_a_listener) {
    listeners = {on("0.0.0.0", 80)};
    start();
    BOOST_TEST(!healthy(0));
    BOOST_TEST(health->reason(0, now) == "no process listens on port 80 of 2001:db8::100");
    listeners.push_back(on("::", 80, true));
    run(100ms);
    BOOST_TEST(healthy(0));
}

BOOST_AUTO_TEST_CASE(the_agents_own_sockets_are_no_service) {
    config.rules[2].first_port = 1;
    config.rules[2].last_port = 65535;
    config.metrics_listen = agent::parse_endpoint("0.0.0.0:9777");
    listeners = {on("0.0.0.0", config.control_port), on("0.0.0.0", 9777)};
    start();
    BOOST_TEST(!healthy(2));
}

BOOST_AUTO_TEST_CASE(listeners_that_cannot_be_listed_change_nothing_and_are_told_once) {
    start();
    run(10ms);
    script.next = kWorks;
    run(10ms);
    listed = false;
    BOOST_TEST((run(500ms) == Texts{"health: cannot list"}));
    BOOST_TEST(healthy(0));
    listed = true;
    BOOST_TEST((run(500ms) == Texts{"health: listeners are listed again"}));
}

BOOST_AUTO_TEST_CASE(a_check_is_made_at_its_interval_and_given_up_in_time) {
    start();
    run(10ms);
    BOOST_TEST(script.begun == 1);
    BOOST_TEST((run(300ms) == Texts{"rule checked: unhealthy (no answer within 300 ms)"}));
    BOOST_TEST(script.aborted == 1);
    run(600ms);
    BOOST_TEST(script.begun == 1);
    run(100ms);
    BOOST_TEST(script.begun == 2);
    script.next = kWorks;
    BOOST_TEST((run(10ms) == Texts{})); // the first of two
    run(1s);
    script.next = kWorks;
    BOOST_TEST((run(10ms) == Texts{"rule checked: healthy"}));
    BOOST_TEST(health->report(3, now)["checks"] == 3);
    BOOST_TEST(health->report(3, now)["failures"] == 1);
}

BOOST_AUTO_TEST_CASE(a_check_that_cannot_begin_is_a_failure) {
    start();
    script.ends = false;
    BOOST_TEST((run(20ms) == Texts{"rule checked: unhealthy (the last check does not end)"}));
}

BOOST_AUTO_TEST_CASE(a_check_that_the_agent_cannot_make_changes_nothing_and_is_told_once) {
    start();
    run(10ms);
    script.next = kWorks;
    run(10ms);
    BOOST_TEST(healthy(3));
    script.lack = "no descriptor";
    BOOST_TEST((run(5s) == Texts{"rule checked: not checked (no descriptor)"}));
    BOOST_TEST(healthy(3));
    BOOST_TEST(health->report(3, now)["not_checked"] == "no descriptor");
    BOOST_TEST(health->report(3, now)["failures"] == 0);
    script.lack.clear();
    BOOST_TEST((run(1s) == Texts{"rule checked: checked again"}));
    BOOST_TEST(health->report(3, now)["not_checked"].is_null());
}

BOOST_AUTO_TEST_CASE(what_goes_on_under_another_configuration_is_examined_by_its_check) {
    start();
    run(10ms);
    BOOST_TEST(script.begun == 1);
    health->configure(config, checks(config), now);
    run(10ms);
    BOOST_TEST(script.begun == 2);
    BOOST_TEST((run(400ms) == Texts{"rule checked: unhealthy (no answer within 300 ms)"}));
}

BOOST_AUTO_TEST_CASE(after_a_restart_what_was_served_passes_for_healthy) {
    start();
    health->resume(0);
    BOOST_TEST(!healthy(3));
    BOOST_TEST(healthy(0)); // known
    health->resume(~0u);
    BOOST_TEST(healthy(3));
    run(10ms);
    script.next = kFails;
    BOOST_TEST((run(10ms) == Texts{"rule checked: unhealthy (it does not)"}));
}

BOOST_AUTO_TEST_CASE(another_configuration_takes_health_over_by_name) {
    start();
    listeners.clear();
    run(100ms);
    agent::Config next = config;
    std::swap(next.rules[0], next.rules[3]);
    next.rules.push_back(config.rules[3]);
    next.rules.back().name = "new";
    next.rules.back().first_port = next.rules.back().last_port = 444;
    BOOST_TEST((health->healthy_under(next) & 31) == 0b10010u); // checked, dns, many, http, new
    health->configure(next, checks(next), now);
    BOOST_TEST((health->healthy() & 31) == 0b10010u);
    BOOST_TEST(health->reason(3, now) == "no process listens on port 80");
    datapath.expected.clear(); // as the filter does
    health->handle(now);
    BOOST_TEST(datapath.expected.size() == 5u);
    next.rules[3].health = {};
    health->configure(next, checks(next), now);
    BOOST_TEST(healthy(3)); // nothing is asked any more
}

BOOST_AUTO_TEST_CASE(a_hold_ends_when_no_other_node_is_healthy) {
    start();
    for (int i = 0; i < 5; ++i) {
        const auto before = listeners;
        listeners.clear();
        run(100ms);
        listeners = before;
        run(i < 3 ? 200ms : i == 3 ? 1500ms : 200ms);
    }
    BOOST_TEST(!healthy(0));
    BOOST_TEST(health->holds(now));
    BOOST_TEST(health->report(0, now)["held_down_ms"].get<int>() > 0);
    heartbeat::View view = agent_test::view_of(1, {1, 2});
    view.members[0].eligible = 0;
    health->consider(now, view, heartbeat::NodeId(1)); // web2 serves it
    BOOST_TEST(!healthy(0));
    view.members[1].weight = 0; // when_all_down = "reject", or no other node has weight
    health->consider(now, view, heartbeat::NodeId(1));
    BOOST_TEST(healthy(0));
    BOOST_TEST(healthy(2));
    BOOST_TEST((run(10ms) == Texts{"rule http: healthy", "rule many: healthy"}));
}

BOOST_AUTO_TEST_CASE(the_first_line_of_an_answer) {
    BOOST_TEST(agent::parse_status_line("HTTP/1.1 200 OK").value() == 200u);
    BOOST_TEST(agent::parse_status_line("HTTP/1.0 503").value() == 503u);
    BOOST_TEST(agent::parse_status_line("HTTP/1.1 204 ").value() == 204u);
    for (const char *line : {"", "HTTP/1.1", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 2x0 OK", "HTTP/2 200 OK",
                             "HTTP/1.x 200 OK", "SSH-2.0-OpenSSH_9.2", "http/1.1 200 OK", "HTTP/1.1  200 OK"})
        BOOST_TEST(!agent::parse_status_line(line), line);
}

BOOST_AUTO_TEST_SUITE_END()
