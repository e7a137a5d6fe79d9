// SPDX-License-Identifier: Apache-2.0
// What the live view shows: rates between two statuses, and "-" for what is not known.
#include "test/unit/nlbctl/example_status.hpp"

#include "agent/nlbctl/watch_page.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using agent::Json;
using namespace std::chrono_literals;

Json status_with(unsigned accepted, unsigned foreign, unsigned taken) {
    Json status = agent_test::example_status();
    status["counters"]["accepted"] = accepted;
    status["counters"]["foreign"] = foreign;
    status["rules"][0]["packets"] = {{"taken", taken}, {"dropped", 3 * taken}};
    status["uncovered"] = {{"owner", 1}, {"buckets", 65536}, {"packets", {{"taken", 8}, {"dropped", 0}}}};
    return status;
}

struct Fixture {
    const std::chrono::steady_clock::time_point start{};
    agent::Watched watched{agent::Sample{status_with(100, 200, 50), start},
                           {status_with(300, 1200, 70), start + 2s},
                           ""};

    std::vector<std::string> body() const {
        std::vector<std::string> lines;
        for (const agent::Line &line : agent::watch_page(watched).body)
            lines.push_back(text(line));
        return lines;
    }
    static std::string text(const agent::Line &line) {
        std::string text;
        for (const agent::Cell &cell : line)
            text += cell.text;
        return text;
    }
    // The first line that begins so.
    std::string line(const std::string &beginning) const {
        for (const std::string &text : body())
            if (text.starts_with("  " + beginning)) return text;
        return "";
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(agent_watch, Fixture)

BOOST_AUTO_TEST_CASE(the_page_is_worth_looking_at) {
    const std::vector<std::string> expected = {
        "  dead: 网站3",
        "",
        "  member  state    share  accepted/s  weight  last heard",
        "  web1    active  50.0 %         100     100   this node",
        "  wéb2    active  50.0 %           -     100       21 ms",
        "  网站3   dead     0.0 %           -       5       never  never heard",
        "",
        "  rule       state     taken/s  dropped/s     here  connections",
        "  http       enabled      10.0       30.0   50.0 %            -",
        "  admin      disabled        -          -    0.0 %            -  mode is disabled",
        "  uncovered                  0          0  100.0 %",
        "",
        "  packets/s  accepted 100   foreign 500   other drops none"};
    for (agent::Sample *sample : {&*watched.before, &watched.now})
        for (Json &rule : sample->status["rules"])
            rule["connections"] = nullptr;
    BOOST_TEST(body() == expected, boost::test_tools::per_element());
    BOOST_TEST(text(agent::watch_page(watched).title) ==
               "web1 active   cluster web   view 3.7   leader wéb2   2 of 3 active");
}

BOOST_AUTO_TEST_CASE(without_a_former_status_there_is_no_rate) {
    watched.before.reset();
    BOOST_TEST(line("web1").find(" - ") != std::string::npos);
    BOOST_TEST(line("packets/s") == "  packets/s  accepted -   foreign -   other drops none");
}

BOOST_AUTO_TEST_CASE(counts_that_begin_anew_are_no_negative_rate) {
    watched.now.status["counters"]["accepted"] = 5;
    BOOST_TEST(line("packets/s").starts_with("  packets/s  accepted -   foreign 500"));
}

BOOST_AUTO_TEST_CASE(drops_of_other_kinds_are_named) {
    watched.now.status["counters"]["truncated"] = 10;
    BOOST_TEST(line("packets/s").ends_with("other drops truncated 3.0"));
}

BOOST_AUTO_TEST_CASE(trouble_and_a_node_that_does_not_serve_are_said_on_top) {
    watched.trouble = "nobody is there";
    watched.now.status["reason"] = "draining, 12 connections left";
    BOOST_TEST(body()[0] == "  nobody is there");
    BOOST_TEST(text(agent::watch_page(watched).title).starts_with("web1 no answer   cluster web"));
    BOOST_TEST(body()[1] == "  not serving: draining, 12 connections left");
}

BOOST_AUTO_TEST_CASE(what_is_wrong_stands_on_top_in_whole_sentences) {
    Json &status = watched.now.status;
    status["members"][1]["unhealthy_rules"] = {"http"};
    status["problems"] = {{{"name", "virtual_ip_claimed"},
                           {"text", "192.0.2.100 is claimed by 02:11:22:33:44:55"},
                           {"way_out", "find that machine, and take the address from it"},
                           {"serious", false}}};
    for (unsigned id = 40; id < 47; ++id)
        status["members"].push_back({{"id", id}, {"name", "web" + std::to_string(id)}, {"state", "fenced"}, {"reason", nullptr},
                                     {"weight", 100}, {"share", 0.0}, {"last_heard_ms", 5}});
    const std::vector<std::string> expected = {
        "  problem: 192.0.2.100 is claimed by 02:11:22:33:44:55; find that machine, and",
        "  take the address from it",
        "  dead: 网站3",
        "  fenced: web40, web41, web42, web43, web44, web45 and 1 more",
        "  unhealthy: http on wéb2",
        ""};
    std::vector<std::string> lines = body();
    lines.resize(expected.size());
    BOOST_TEST(lines == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(rates_are_short) {
    BOOST_TEST(agent::rate_text(0) == "0");
    BOOST_TEST(agent::rate_text(0.26) == "0.3");
    BOOST_TEST(agent::rate_text(99.94) == "99.9");
    BOOST_TEST(agent::rate_text(99.96) == "100");
    BOOST_TEST(agent::rate_text(9999) == "9999");
    BOOST_TEST(agent::rate_text(12'345) == "12.3k");
    BOOST_TEST(agent::rate_text(999'960) == "1.0M");
    BOOST_TEST(agent::rate_text(24'000'000) == "24.0M");
}

BOOST_AUTO_TEST_CASE(a_line_is_cut_by_what_a_terminal_shows) {
    BOOST_TEST(agent::clipped("web1", 10) == "web1");
    BOOST_TEST(agent::clipped("web1", 2) == "we");
    BOOST_TEST(agent::clipped("网站3", 3) == "网");
    BOOST_TEST(agent::clipped("网站3", 4) == "网站");
    BOOST_TEST(agent::clipped("we\xcc\x81" "b", 2) == "we\xcc\x81");
    BOOST_TEST(agent::clipped("web1", 0) == "");
}

BOOST_AUTO_TEST_SUITE_END()
