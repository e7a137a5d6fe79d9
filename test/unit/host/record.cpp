// SPDX-License-Identifier: Apache-2.0
#include "agent/host/record.hpp"

#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

using agent::HostChange;
using agent::HostRecord;
using Kind = HostChange::Kind;

namespace {

const HostRecord kRecord{"boot 7",
                         {{Kind::sysctl, 2, "eth0.5", "arp_ignore", 0, 1},
                          {Kind::group, 2, "eth0.5", "03:bf:c0:00:02:64", 0, 0},
                          {Kind::membership, 2, "eth0.5", "239.255.2.100", 0, 0},
                          {Kind::mac, 2, "eth0.5", "02:bf:c0:00:02:64", 0, 0},
                          {Kind::address, 1, "lo", "fd00::64", 0, 0}}};
const std::string kText = "nlbd 1\n"
                          "place boot 7\n"
                          "sysctl 2 eth0.5 arp_ignore 0 1\n"
                          "group 2 eth0.5 03:bf:c0:00:02:64\n"
                          "membership 2 eth0.5 239.255.2.100\n"
                          "mac 2 eth0.5 02:bf:c0:00:02:64\n"
                          "address 1 lo fd00::64\n";

struct Directory {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / ("nlbd-host-change-" + std::to_string(getpid()));
    Directory() { std::filesystem::create_directory(path); }
    ~Directory() { std::filesystem::remove_all(path); }
    std::string file() const { return path / "host"; }
};

} // namespace

BOOST_AUTO_TEST_SUITE(host_change)

BOOST_AUTO_TEST_CASE(record_prints_and_parses_back) {
    BOOST_TEST(to_string(kRecord) == kText);
    BOOST_TEST((agent::parse_record(kText) == kRecord));
}

BOOST_AUTO_TEST_CASE(record_cut_anywhere_is_refused_or_shorter) {
    for (std::size_t length = 0; length < kText.size(); ++length) {
        const auto found = agent::parse_record(kText.substr(0, length));
        const bool whole_lines = length > 0 && kText[length - 1] == '\n' && length > 7;
        BOOST_TEST(found.has_value() == whole_lines, "cut at " << length);
    }
}

BOOST_AUTO_TEST_CASE(lines_that_are_no_change_are_refused) {
    for (const auto *line :
         {"", " ", "sysctl", "sysctl 2 eth0 arp_ignore 0", "sysctl 2 eth0 arp_ignore 0 1 2",
          "sysctl x eth0 arp_ignore 0 1", "sysctl 2 eth0 arp_ignore 0 1x", "address 1 lo",
          "address 1 lo fd00::64 0 1", "route 1 lo fd00::64", "address 99999999999 lo fd00::64",
          "sysctl 0 ../../../kernel panic 0 1", "sysctl 0 .. forwarding 0 1", "sysctl 0 . x 0 1",
          "sysctl 2 eth0 ../../../../kernel/panic 0 1", "sysctl 2 eth0 ipv6/../all/forwarding 0 1",
          "sysctl 2 eth0 ipv6/ 0 1", "sysctl 2 a/b arp_ignore 0 1"})
        BOOST_TEST(!agent::parse_change(line).has_value(), line);
}

BOOST_AUTO_TEST_CASE(random_records_are_survived) {
    std::mt19937 random(1);
    for (int round = 0; round < 20000; ++round) {
        auto text = kText;
        for (int changes = 0; changes < 1 + round % 4; ++changes)
            text[random() % text.size()] = static_cast<char>(random());
        if (const auto found = agent::parse_record(text))
            BOOST_REQUIRE((agent::parse_record(to_string(*found)) == *found));
    }
}

BOOST_AUTO_TEST_CASE(record_of_this_place_is_loaded_another_is_not) {
    const Directory directory;
    const HostRecord empty{agent::this_place(), {}};
    BOOST_TEST((agent::load_record(directory.file()) == empty));
    HostRecord here{agent::this_place(), kRecord.changes};
    agent::save_record(here, directory.file());
    BOOST_TEST((agent::load_record(directory.file()) == here));
    agent::save_record(kRecord, directory.file());
    BOOST_TEST((agent::load_record(directory.file()) == empty));
}

BOOST_AUTO_TEST_CASE(file_that_is_no_record_is_named) {
    const Directory directory;
    std::ofstream(directory.file()) << "something else\n";
    BOOST_CHECK_EXCEPTION(
        agent::load_record(directory.file()), std::runtime_error, [&](const auto &error) {
            return std::string(error.what())
                .starts_with("read " + directory.file() + ": not a record of nlbd's");
        });
}

BOOST_AUTO_TEST_SUITE_END()
