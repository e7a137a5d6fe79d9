// SPDX-License-Identifier: Apache-2.0
#include "agent/orders/electorate_file.hpp"

#include <boost/test/unit_test.hpp>

#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

using agent::ElectorateFile;
using heartbeat::Electorate;
using heartbeat::NodeId;
using namespace std::chrono_literals;

namespace {

const Electorate kChanging{.term = 7, .leader = NodeId{2}, .step = 3, .made_term = 6, .made_step = 2, .nodes = 0x80000003, .former = 0b111};

struct Directory {
    std::filesystem::path path;
    Directory() {
        char name[] = "/tmp/nlbd_electorate_XXXXXX";
        path = mkdtemp(name);
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::string state() const { return path / "state"; }
    std::string file() const { return path / "state/electorate.json"; }
};

// What it says when the disk has answered.
std::optional<Electorate> answer(ElectorateFile &file, heartbeat::Time now) {
    agent::Poll poll(heartbeat::Time{0});
    file.wait(poll);
    poll.at(60s);
    poll.sleep();
    return file.handle(now);
}

} // namespace

BOOST_AUTO_TEST_SUITE(electorate_file)

BOOST_AUTO_TEST_CASE(what_was_kept_is_there_again) {
    const Directory directory;
    ElectorateFile file(directory.state(), "shop");
    BOOST_TEST(!file.load().known());
    file.keep(kChanging);
    BOOST_TEST((answer(file, 0s) == kChanging));
    BOOST_TEST(file.failure() == "");
    BOOST_TEST((ElectorateFile(directory.state(), "shop").load() == kChanging));
    BOOST_TEST(!ElectorateFile(directory.state(), "another").load().known());
    file.forget();
    BOOST_TEST(!std::filesystem::exists(directory.file()));
    file.forget();
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_is_tried_again_each_second) {
    const Directory directory;
    std::ofstream(directory.state()) << "a file in the place of the directory";
    ElectorateFile file(directory.state(), "shop");
    file.keep(kChanging);
    BOOST_TEST(!answer(file, 5s).has_value());
    BOOST_TEST(file.failure() != "");
    std::filesystem::remove(directory.state());
    BOOST_TEST(!file.handle(5900ms).has_value());
    BOOST_TEST(!std::filesystem::exists(directory.file()));
    BOOST_TEST(!file.handle(6s).has_value());
    BOOST_TEST((answer(file, 6s) == kChanging));
    BOOST_TEST(file.failure() == "");
}

BOOST_AUTO_TEST_CASE(what_is_damaged_stops_a_start_with_a_way_out) {
    const std::string good = agent::to_text(kChanging, "shop");
    BOOST_TEST((agent::parse_electorate(good, "shop") == kChanging));
    const auto why = [](const std::string &text) -> std::string {
        try {
            agent::parse_electorate(text, "shop");
        } catch (const std::exception &error) {
            return error.what();
        }
        return "";
    };
    BOOST_TEST(why("") == "it is not a JSON object");
    BOOST_TEST(why(good.substr(0, good.size() / 2)) == "it is not a JSON object");
    for (const auto &[from, to, key] : {std::tuple{"\"term\":7", "\"term\":-7", "term"}, {"\"step\":3", "\"step\":0", "step"},
                                        {"\"step\":3", "\"step\":65536", "step"}, {"\"made_step\":2", "\"made_step\":0", "made_step"}, {"\"leader\":2", "\"leader\":33", "leader"},
                                        {"[1,2,32]", "[]", "nodes"}, {"[1,2,32]", "[1,2,33]", "nodes"},
                                        {"[1,2,3]", "[0]", "former"}, {"\"former\"", "\"latter\"", "former"},
                                        {"\"shop\"", "1", "cluster"}}) {
        std::string text = good;
        text.replace(text.find(from), std::string(from).size(), to);
        BOOST_TEST(why(text) == "\"" + std::string(key) + "\" is missing or not valid", text);
    }
    const Directory directory;
    std::filesystem::create_directory(directory.state());
    std::ofstream(directory.file()) << "{";
    BOOST_CHECK_EXCEPTION(ElectorateFile(directory.state(), "shop").load(), std::runtime_error, [](const auto &error) {
        return std::string(error.what()).find("remove the file on this node alone") != std::string::npos;
    });
}

BOOST_AUTO_TEST_SUITE_END()
