// SPDX-License-Identifier: Apache-2.0
// What a pushed file changes, as nlbctl shows it.
#include "agent/nlbctl/push.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using Lines = std::vector<std::string>;

const std::string kFormer = "[cluster]\nname = \"web\"\n\n[[node]]\nid = 1\nweight = 100\n\n"
                            "[[virtual_ip]]\naddress = \"192.0.2.100\"\n";

std::string replaced(std::string text, const std::string &from, const std::string &to) {
    return text.replace(text.find(from), from.size(), to);
}

} // namespace

BOOST_AUTO_TEST_SUITE(nlbctl_push)

BOOST_AUTO_TEST_CASE(difference_names_the_table_and_its_lines) {
    BOOST_TEST(agent::difference(kFormer, kFormer).empty());
    BOOST_TEST((agent::difference(kFormer, replaced(kFormer, "100\n", "50\n")) ==
                Lines{"  [[node]] id = 1", "- weight = 100", "+ weight = 50"}));
    BOOST_TEST((agent::difference(kFormer, kFormer + "[[virtual_ip]]\naddress = \"192.0.2.101\"\n") ==
                Lines{"  [[virtual_ip]] address = \"192.0.2.101\"", "+ address = \"192.0.2.101\""}));
    BOOST_TEST((agent::difference(kFormer + "[agent]\ndrain_ms = 9\n", kFormer) ==
                Lines{"  [agent]", "- drain_ms = 9"}));
    BOOST_TEST(agent::difference("", "").empty());
}

BOOST_AUTO_TEST_SUITE_END()
