// SPDX-License-Identifier: Apache-2.0
//
// Every bad configuration of test/golden/config.txt and the exact message that it gets. A new
// message: a new case there. The shipped example is good, and so is everything that is cut from it
// at the end of a section.
#include "agent/config/config.hpp"
#include "test/unit/config/files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

BOOST_AUTO_TEST_SUITE(config_golden)

BOOST_AUTO_TEST_CASE(every_bad_configuration_gets_its_message) {
    const auto cases = golden_configs();
    BOOST_TEST(cases.size() > 100u);
    for (const GoldenConfig &golden : cases) {
        const std::string message =
            message_of([&] { agent::parse_config(golden.text, golden.file); });
        BOOST_TEST(message == golden.message);
    }
}

BOOST_AUTO_TEST_CASE(the_shipped_example_loads) {
    const agent::Config config = agent::load_config(source_dir() / "etc/cluster.toml");
    BOOST_TEST(config.cluster_name == "web");
    BOOST_TEST(config.nodes.size() == 3u);
    BOOST_TEST(config.virtual_ips.size() == 2u);
    BOOST_TEST(config.rules.size() == 4u);
    BOOST_TEST(config.heartbeat_interfaces == std::vector<std::string>{"eth0"});
}

BOOST_AUTO_TEST_CASE(what_the_example_shows_as_a_default_is_the_default) {
    const auto file = source_dir() / "etc/cluster.toml";
    std::string text = read_whole(file);
    for (const std::string key :
         {"mac_mode", "key_file", "datapath", "group", "group6", "port", "interval_ms", "dead_after_ms",
          "partition", "drain_ms", "log_level", "weight", "mode", "health"}) {
        const std::size_t at = text.find("\n# " + key + " = ");
        BOOST_TEST_REQUIRE(at != std::string::npos, key);
        text.erase(at + 1, 2);
    }
    BOOST_TEST(agent::to_toml(agent::parse_config(text, file)) ==
               agent::to_toml(agent::load_config(file)));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_named) {
    BOOST_TEST(message_of([] { agent::load_config("/nowhere/cluster.toml"); }) ==
               "read configuration /nowhere/cluster.toml: No such file or directory");
    BOOST_TEST(message_of([] { agent::load_config("/"); }) ==
               "read configuration /: Is a directory");
}

BOOST_AUTO_TEST_CASE(a_file_that_never_ends_is_refused) {
    BOOST_TEST(message_of([] { agent::load_config("/dev/zero"); }) ==
               "/dev/zero:1:1: syntax: the file is too large, must be at most 262144 bytes");
}

BOOST_AUTO_TEST_SUITE_END()
