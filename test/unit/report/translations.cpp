// SPDX-License-Identifier: Apache-2.0
#include "agent/report/translations.hpp"
#include "test/unit/config/texts.hpp"

#include <boost/test/unit_test.hpp>

using agent::find_translations;

namespace {

agent::Config config() {
    using namespace agent_test;
    return two_nodes(virtual_ip("192.0.2.100") + rule("http", "tcp", "80") +
                     rule("range", "udp", "8000-8999"));
}

std::string rules(const std::string &ruleset) {
    std::string names;
    for (const auto &one : find_translations(ruleset, config()))
        names += one.rule + " ";
    return names;
}

} // namespace

BOOST_AUTO_TEST_SUITE(translations)

BOOST_AUTO_TEST_CASE(lines_that_translate_a_rules_port_are_found) {
    BOOST_TEST(rules("\t\ttcp dport 80 dnat to 172.17.0.2:8080\n") == "http ");
    BOOST_TEST(
        rules("iifname != \"docker0\" tcp dport { 80, 443 } counter dnat to 172.17.0.2:80") ==
        "http ");
    BOOST_TEST(rules("udp dport 8500 redirect to :53") == "range ");
    BOOST_TEST(rules("udp dport 8990-9100 redirect") == "range ");
    BOOST_TEST(rules("tcp dport 80 xt target \"DNAT\"") == "http ");
    BOOST_TEST(rules("ip daddr 192.0.2.100 dnat to 172.17.0.2") == "http range ");
}

BOOST_AUTO_TEST_CASE(other_lines_are_not) {
    BOOST_TEST(rules("tcp dport 8080 dnat to 172.17.0.2:80") == "");
    BOOST_TEST(rules("udp dport 80 dnat to 172.17.0.2:80") == "");
    BOOST_TEST(rules("ip daddr 192.0.2.7 tcp dport 80 dnat to 172.17.0.2:80") == "");
    BOOST_TEST(rules("tcp dport 80 accept\nip saddr 172.17.0.0/16 masquerade") == "");
    BOOST_TEST(rules("# tcp dport 80 dnat to 172.17.0.2:80") == "");
    BOOST_TEST(rules("type nat hook prerouting priority -100; policy accept;") == "");
}

BOOST_AUTO_TEST_SUITE_END()
