// SPDX-License-Identifier: Apache-2.0
// Status for people: the exact text, once; then what must hold whatever the text is.
#include "test/unit/nlbctl/example_status.hpp"

#include "agent/base/rate_limit.hpp"
#include "agent/nlbctl/render.hpp"
#include "agent/nlbctl/table.hpp"
#include "agent/nlbctl/words.hpp"
#include "filter/tables.hpp"

#include <boost/test/unit_test.hpp>

#include <regex>
#include <sstream>

namespace {

using agent_test::example_status;
using namespace std::chrono_literals;

std::string without_colour(const std::string &text) {
    return std::regex_replace(text, std::regex("\033\\[[0-9;]*m"), "");
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_render)

BOOST_AUTO_TEST_CASE(status_is_a_table_worth_looking_at) {
    const std::string expected =
        "cluster web   node web1 (1)   state active   view 3.7   leader wéb2\n"
        "datapath xdp generic on eth0\n"
        "\n"
        "  id  member  state   weight   share              last heard\n"
        "   1  web1    active     100  50.0 %  ██████████   this node\n"
        "   2  wéb2    active     100  50.0 %  ██████████       21 ms\n"
        "  31  网站3   dead         5   0.0 %                   never  never heard\n"
        "\n"
        "  rule   protocol  ports      mode      affinity  state     buckets here\n"
        "  http   tcp       80         multiple  single    enabled          32768  50.0 %\n"
        "  admin  both      8000-8999  disabled  none      disabled             0   0.0 %  mode is "
        "disabled\n"
        "\n"
        "packets  accepted 11   foreign 20   other drops truncated 4\n";
    BOOST_TEST(agent::render_status(example_status(), false) == expected);
}

BOOST_AUTO_TEST_CASE(the_last_change_is_told_with_its_time_and_cause) {
    agent::Json status = example_status();
    status["last_change"] = {{"ago_ms", 12}, {"cause", "web3 added"}};
    BOOST_TEST(std::regex_search(agent::render_status(status, false), std::regex("\nlast change \\d\\d:\\d\\d:\\d\\d: web3 added\n")));
    status["last_change"] = nullptr;
    BOOST_TEST(agent::render_status(status, false).find("last change") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_staged_configuration_is_told_with_who_is_missing) {
    agent::Json status = example_status();
    BOOST_TEST(agent::render_status(status, false).find("configuration:") == std::string::npos);
    status["reload"] = {
        {"staged", true}, {"waiting_for", {"wéb2", "网站3"}}, {"staged_another", {"网站3"}}};
    const std::string text = agent::render_status(status, false);
    BOOST_TEST(text.find("\nconfiguration: staged; waits for wéb2, 网站3 (has staged another)\n") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_reload_that_removes_a_node_says_what_to_type_there) {
    const std::string text = agent::in_force_text({{"removed", true}});
    BOOST_TEST(text.starts_with("no longer listed, and out of the cluster; "));
    BOOST_TEST(text.find("systemctl disable --now nlbd") != std::string::npos);
    BOOST_TEST(text.find("list it again") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_problem_is_told_with_its_way_out) {
    agent::Json status = example_status();
    status["problems"] = {
        {{"name", "slow"}, {"text", "it is slow"}, {"way_out", "hurry"}, {"serious", false}}};
    BOOST_TEST(agent::render_status(status, false).find("\nproblem: it is slow; hurry\n") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_page_has_an_address_that_can_be_opened) {
    agent::Json status = example_status();
    for (const auto &[listen, shown] : {std::pair{"127.0.0.1:9777", "http://127.0.0.1:9777/"},
                                        {"0.0.0.0:9777", "http://web1:9777/"},
                                        {"[::]:9777", "http://web1:9777/"},
                                        {"[::1]:9777", "http://[::1]:9777/"}}) {
        status["web"] = {{"listen", listen}};
        BOOST_TEST(agent::render_status(status, false).find(std::string("page ") + shown) != std::string::npos, listen);
    }
}

BOOST_AUTO_TEST_CASE(a_weight_by_command_is_told_where_it_was_ordered) {
    agent::Json status = example_status();
    status["orders"]["weight"] = 100;
    const std::string text = agent::render_members(status, false);
    BOOST_TEST(text.find("this node  weight by command\n") != std::string::npos, text);
    BOOST_TEST(text.find("weight by command") == text.rfind("weight by command"));
}

BOOST_AUTO_TEST_CASE(the_same_status_gives_the_same_text_and_colour_only_adds) {
    const agent::Json status = example_status();
    const std::string coloured = agent::render_status(status, true);
    BOOST_TEST(coloured == agent::render_status(status, true));
    BOOST_TEST(coloured != agent::render_status(status, false));
    BOOST_TEST(without_colour(coloured) == agent::render_status(status, false));
}

BOOST_AUTO_TEST_CASE(no_line_ends_in_blanks) {
    std::istringstream text(agent::render_status(example_status(), false));
    for (std::string line; std::getline(text, line);)
        BOOST_TEST((line.empty() || line.back() != ' '), line);
}

BOOST_AUTO_TEST_CASE(a_node_that_knows_nothing_yet_is_shown_without_a_view_or_a_leader) {
    agent::Json status = example_status();
    status["state"] = "joining";
    status["reason"] = "listening for other nodes";
    status["view"] = {{"term", 0}, {"number", 0}, {"leader", nullptr}, {"installed", false}};
    const std::string text = agent::render_status(status, false);
    BOOST_TEST(text.find("view none   leader none") != text.npos);
    BOOST_TEST(text.find("not serving: listening for other nodes\n") != text.npos);
}

BOOST_AUTO_TEST_CASE(counters_name_every_reason_even_those_at_zero) {
    const std::string text = agent::render_counters(example_status(), false);
    for (const char *name : {"accepted", "no_owner", "truncated", "bad_tag", "malformed"})
        BOOST_TEST(text.find(name) != text.npos, name);
}

BOOST_AUTO_TEST_CASE(every_reason_of_a_packet_is_explained) {
    for (std::uint32_t reason = 0; reason < NLB_REASONS; ++reason)
        BOOST_TEST(!filter::meaning(filter::reason_name(reason)).empty(),
                   filter::reason_name(reason));
    BOOST_TEST(agent::render_counters(example_status(), false).find("no node serves the bucket") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(width_is_what_a_terminal_shows) {
    BOOST_TEST(agent::display_width("web1") == 4u);
    BOOST_TEST(agent::display_width("wéb") == 3u);
    BOOST_TEST(agent::display_width("we\xcc\x81"
                                    "b") == 3u); // a combining accent
    BOOST_TEST(agent::display_width("网站") == 4u);
    BOOST_TEST(agent::display_width("█▌") == 2u);
    BOOST_TEST(agent::display_width("\xff\xc3") == 2u); // not UTF-8: a column a byte
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(agent_repeats)

BOOST_AUTO_TEST_CASE(the_same_event_is_printed_a_few_times_and_counted_from_then_on) {
    agent::RateLimit repeats;
    for (unsigned i = 0; i < agent::RateLimit::kAtMost; ++i)
        BOOST_TEST(*repeats.pass("peer: refused (n=" + std::to_string(i) + ")", 100s) ==
                   "peer: refused (n=" + std::to_string(i) + ")");
    BOOST_TEST(!repeats.pass("peer: refused (n=8)", 101s));
    BOOST_TEST(!repeats.pass("peer: refused (n=9)", 102s));
    BOOST_TEST(repeats.pass("peer: heard", 102s).has_value());
    BOOST_TEST(*repeats.pass("peer: refused (n=10)", 110s) ==
               "peer: refused (n=10) (and 2 more like it)");
    BOOST_TEST(*repeats.pass("peer: refused (n=11)", 110s) == "peer: refused (n=11)");
}

BOOST_AUTO_TEST_SUITE_END()
