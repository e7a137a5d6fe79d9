// SPDX-License-Identifier: Apache-2.0
// Text of others', shown: it commands no terminal, begins no line and turns nothing around.
#include "agent/base/exit.hpp"
#include "agent/base/printable.hpp"
#include "agent/control/replies.hpp"

#include <boost/test/unit_test.hpp>

using agent::printable;

BOOST_AUTO_TEST_SUITE(text_of_others)

BOOST_AUTO_TEST_CASE(what_people_write_stays) {
    for (const std::string text : {"", "web1", "wéb2 网站3 █▋", "a b~", "\xf0\x9f\x98\x80"})
        BOOST_TEST(printable(text) == text);
}

BOOST_AUTO_TEST_CASE(what_commands_a_terminal_does_not) {
    BOOST_TEST(printable("a\x1b[2Jb") == "a?[2Jb");
    BOOST_TEST(printable("a\nb\tc\rd") == "a b c d");
    BOOST_TEST(printable("\x7f\x08") == "??");
    BOOST_TEST(printable(std::string(1, '\0')) == "?");
    BOOST_TEST(printable("\xc2\x9b"
                         "2J") == "?2J");          // CSI as one C1 character
    BOOST_TEST(printable("\xe2\x80\xae") == "?");     // from right to left
    BOOST_TEST(printable("\xe2\x81\xa6x") == "?x");   // isolates
    BOOST_TEST(printable("\xef\xbb\xbf") == "?");     // not seen
    BOOST_TEST(printable("\xe2\x80\xa8") == "?");     // begins a line
    BOOST_TEST(printable("\xff\xfe") == "??");
    BOOST_TEST(printable("\xc1\x9b") == "?");         // longer than need be
    BOOST_TEST(printable("\xe0\x82\x9b") == "?");
    BOOST_TEST(printable("\xed\xa0\x80") == "?");     // half of a pair
    BOOST_TEST(printable("\xe2\x80") == "?");         // cut off
    BOOST_TEST(printable("\xf7\xbf\xbf\xbf") == "?"); // no character at all
}

BOOST_AUTO_TEST_CASE(what_is_too_long_is_cut_between_characters) {
    BOOST_TEST(printable(std::string(100'000, 'x')).size() == agent::kMostPrinted + 3);
    BOOST_TEST(printable("ééé", 3) == "é...");
    BOOST_TEST(printable("abc", 3) == "abc");
}

BOOST_AUTO_TEST_CASE(a_failure_is_one_harmless_line) {
    BOOST_TEST(agent::error_line("nlbd", "use x\x1b]0;y\x07\xc2\x9b\n: no", "") == "nlbd: use x?]0;y?? : no\n");
}

BOOST_AUTO_TEST_CASE(another_nodes_reply_is_taken_by_its_known_keys_alone) {
    using agent::Json;
    BOOST_TEST((agent::read_reply(R"({"ok":true,"result":1,"id":1,"name":"web1","code":"x"})") ==
                Json{{"ok", true}, {"result", 1}}));
    BOOST_TEST((agent::read_reply(R"({"ok":false,"code":"failed","error":"no","name":"web1"})") ==
                Json{{"ok", false}, {"code", "failed"}, {"error", "no"}}));
    for (const char *text : {"", "[]", "{}", R"({"ok":1,"result":2})", R"({"ok":true})",
                             R"({"ok":false,"code":"failed"})", R"({"ok":false,"code":1,"error":"x"})"})
        BOOST_TEST(agent::read_reply(text).at("code") == "failed");
}

BOOST_AUTO_TEST_SUITE_END()
