// SPDX-License-Identifier: Apache-2.0
// What a reload may change, and which of the old tables a new rule goes on with.
#include "test/unit/config/texts.hpp"

#include "agent/orders/reload.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace agent_test;
using Former = std::vector<std::optional<std::size_t>>;

const std::string kAddress = virtual_ip("192.0.2.100");

std::string tcp(const std::string &name, const std::string &port, const std::string &more = "") {
    return rule(name, "tcp", port, more);
}

agent::Config config(const std::string &text) { return agent::parse_config(text, "test.toml"); }

const agent::Config kRunning = two_nodes(kAddress + tcp("http", "80") + tcp("tls", "443"));

} // namespace

BOOST_AUTO_TEST_SUITE(agent_reload)

BOOST_AUTO_TEST_CASE(rules_weights_and_drain_ms_change_at_run_time) {
    for (const std::string &next :
         {kTwoNodes + kAddress + tcp("http", "80-90", "affinity = \"none\"") + tcp("mail", "25"),
          kTwoNodes + kAddress, kTwoNodes + "weight = 30\n" + kAddress + tcp("tls", "443"),
          kTwoNodes + kAddress + "[agent]\ndrain_ms = 9\n"})
        BOOST_TEST(agent::needs_restart(kRunning, config(next)) == "", next);
}

BOOST_AUTO_TEST_CASE(what_cannot_change_is_named) {
    const auto needs = [](const std::string &next) {
        return agent::needs_restart(kRunning, config(next));
    };
    BOOST_TEST(needs(kTwoNodes + kAddress + "[heartbeat]\ninterval_ms = 40\n") == "heartbeat");
    BOOST_TEST(needs(kTwoNodes + "[[node]]\nid = 3\nname = \"web3\"\n" + kAddress) == "node \"web3\"");
    BOOST_TEST(needs(kTwoNodes + kAddress + "[[virtual_ip]]\naddress = \"192.0.2.101\"\n") == "virtual_ip");
    BOOST_TEST(needs(kTwoNodes + kAddress + "[metrics]\nlisten = \"127.0.0.1:9777\"\n") == "metrics");
    BOOST_TEST(needs(kTwoNodes + "interface = \"eth9\"\n" + kAddress) == "node \"web2\"");
}

BOOST_AUTO_TEST_CASE(a_rule_of_the_same_packets_and_buckets_goes_on_with_its_table) {
    const auto former = [](const std::string &rules) {
        return agent::former_tables(kRunning, two_nodes(kAddress + rules));
    };
    BOOST_TEST((former(tcp("http", "80") + tcp("tls", "443")) == Former{0, 1, 2}));
    BOOST_TEST((former(tcp("other", "443", "mode = \"single\"") + tcp("web", "80")) ==
                Former{1, 0, 2}));
    BOOST_TEST((former(tcp("http", "80")) == Former{0, std::nullopt}));
    BOOST_TEST((former(tcp("http", "80", "affinity = \"none\"") + tcp("tls", "443")) ==
                Former{std::nullopt, 1, std::nullopt}));
    BOOST_TEST((former(tcp("http", "80-81") + tcp("tls", "443")) ==
                Former{std::nullopt, 1, std::nullopt}));
}

BOOST_AUTO_TEST_SUITE_END()
