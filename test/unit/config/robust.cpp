// SPDX-License-Identifier: Apache-2.0
//
// No bytes, however strange, do more than get one line of refusal: the example and all bad
// configurations, cut off at any length, with bytes changed at random, and the shapes that parsers
// fall over.
#include "agent/config/config.hpp"
#include "test/unit/config/files.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

namespace {

// Loads, prints and loads again, or is refused in one line that begins with the place.
bool behaves(const std::string &text) {
    const std::string message = message_of([&] {
        const std::string printed = agent::to_toml(agent::parse_config(text, "f"));
        if (agent::to_toml(agent::parse_config(printed, "f")) != printed)
            throw std::runtime_error("printed differently");
    });
    return message.empty() || (message.starts_with("f:") &&
                               std::none_of(message.begin(), message.end(),
                                            [](unsigned char c) { return c < ' ' || c == 127; }));
}

std::string repeat(const std::string &piece, std::size_t times) {
    std::string out;
    while (times-- > 0)
        out += piece;
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(config_robust)

BOOST_AUTO_TEST_CASE(the_example_cut_off_anywhere) {
    const std::string text = read_whole(source_dir() / "etc/cluster.toml");
    for (std::size_t size = 0; size <= text.size(); size += 3)
        BOOST_TEST(behaves(text.substr(0, size)), "cut off after " << size << " bytes");
}

BOOST_AUTO_TEST_CASE(any_byte_changed) {
    std::mt19937 random(1);
    for (const GoldenConfig &golden : golden_configs()) {
        for (int round = 0; round < 20 && !golden.text.empty(); ++round) {
            std::string text = golden.text;
            for (int changes = 0; changes < 3; ++changes)
                text[random() % text.size()] = static_cast<char>(random());
            BOOST_TEST(behaves(text), golden.file << " round " << round);
        }
    }
}

BOOST_AUTO_TEST_CASE(deep_and_long_shapes) {
    BOOST_TEST(behaves(repeat("[", 4000)));
    BOOST_TEST(behaves('[' + repeat("a.", 1990) + "a]\n" + repeat("a.", 1990) + "a = 1\n"));
    BOOST_TEST(behaves(repeat("a.", 100000) + "a = 1\n"));
    const std::string deep = repeat("a.", 1990) + "a = ";
    BOOST_TEST(behaves(deep + repeat("[\n{" + deep, 3) + '1' + repeat("}\n]", 3) + '\n'));
    BOOST_TEST(behaves(repeat("[[rule]]\n", 5000)));
    BOOST_TEST(behaves(repeat("\n", 262144)));
    BOOST_TEST(behaves(std::string(1000, '\0')));
}

BOOST_AUTO_TEST_SUITE_END()
