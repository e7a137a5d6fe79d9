// SPDX-License-Identifier: Apache-2.0
// What a captured packet becomes: a line for people, blocks of a file for Wireshark.
#include "agent/nlbctl/capture_file.hpp"
#include "agent/nlbctl/packet_line.hpp"
#include "agent/nlbctl/pcapng.hpp"
#include "test/bpf/packets.hpp"
#include "test/unit/temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

using namespace packets;

namespace {

std::uint32_t word(const std::string &bytes, std::size_t at) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i)
        value |= std::uint32_t{static_cast<std::uint8_t>(bytes.at(at + i))} << 8 * i;
    return value;
}

// A block's length stands before and after it and is one of whole words; 0: it does not.
std::size_t length_at(const std::string &bytes, std::size_t at) {
    const std::size_t length = word(bytes, at + 4);
    const bool whole = length % 4 == 0 && length >= 12 && at + length <= bytes.size();
    return whole && word(bytes, at + length - 4) == length ? length : 0;
}

} // namespace

BOOST_AUTO_TEST_SUITE(capture_output)

BOOST_AUTO_TEST_CASE(a_packet_in_a_few_words) {
    const auto line = [](const Bytes &frame) { return agent::packet_line(frame); };
    BOOST_TEST(line(ethernet(ipv4({}, tcp({.source = 40000, .port = 80})))) ==
               "198.51.100.9:40000 > 192.0.2.100:80 tcp SYN");
    BOOST_TEST(line(ethernet(ipv6({}, tcp({.source = 1, .port = 2, .flags = kSyn | kAck})))) ==
               "[fd01::9]:1 > [fd00::100]:2 tcp SYN,ACK");
    BOOST_TEST(line(Bytes{}) == "no IP packet");
    Bytes cut = ethernet(ipv4({}, tcp({})));
    cut.resize(20);
    BOOST_TEST(line(cut) == "cut off");
    cut = ethernet(ipv4({}, tcp({})));
    cut.resize(40);
    BOOST_TEST(line(cut).ends_with(" malformed"));
}

BOOST_AUTO_TEST_CASE(blocks_are_whole_words_and_say_their_length_twice) {
    const Bytes frame(61, 0xaa);
    for (const std::string comment : {"", "drop foreign", "odd"}) {
        const std::string block = agent::pcapng::packet(
            {.time_ns = 0x0000000500000007, .length = 1500, .bytes = frame, .comment = comment});
        BOOST_TEST(word(block, 0) == 6u);
        BOOST_TEST(length_at(block, 0) == block.size());
        BOOST_TEST(word(block, 12) == 5u); // the higher half of the time comes first
        BOOST_TEST(word(block, 16) == 7u);
        BOOST_TEST(word(block, 20) == 61u);
        BOOST_TEST(word(block, 24) == 1500u);
        BOOST_TEST(block.find(comment) != std::string::npos);
    }
    const std::string head = agent::pcapng::begin("nlbctl", "eth0", 65280);
    BOOST_TEST(word(head, 0) == 0x0a0d0d0au);
    BOOST_TEST(word(head, 8) == 0x1a2b3c4du);
    const std::size_t section = length_at(head, 0);
    BOOST_REQUIRE(section > 0);
    BOOST_TEST(word(head, section) == 1u);
    BOOST_TEST(section + length_at(head, section) == head.size());
    const std::string tail = agent::pcapng::end({1, 2, 3, 4});
    BOOST_TEST(length_at(tail, 0) == tail.size());
}

BOOST_AUTO_TEST_CASE(of_blocks_that_were_cut_off_the_whole_ones_are_kept) {
    const std::string one = agent::pcapng::packet({.bytes = Bytes(61, 0xaa), .comment = "x"});
    const std::string two = one + agent::pcapng::end({});
    for (std::size_t size = 0; size <= two.size(); ++size) {
        const std::size_t wanted = size == two.size()   ? two.size()
                                   : size >= one.size() ? one.size()
                                                        : 0;
        BOOST_TEST(agent::pcapng::whole(std::string_view(two).substr(0, size)) == wanted);
    }
    BOOST_TEST(agent::pcapng::whole(std::string(64, '\0')) == 0u);
}

BOOST_AUTO_TEST_CASE(a_comment_longer_than_an_option_is_cut) {
    const std::string block = agent::pcapng::packet(
        {.time_ns = 1, .length = 0, .bytes = {}, .comment = std::string(100000, 'x')});
    BOOST_TEST(length_at(block, 0) == block.size());
    BOOST_TEST(block.size() < 70000u);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_there_is_not_written_to_by_whatever_name) {
    const agent_test::TemporaryDirectory directory;
    const std::string file = directory.path + "/old", link = directory.path + "/link",
                      nowhere = directory.path + "/nowhere", fresh = directory.path + "/fresh";
    std::ofstream(file) << "old";
    std::filesystem::create_symlink(file, link);
    std::filesystem::create_symlink(fresh, nowhere);
    std::ostringstream out;
    for (const std::string &taken : {file, link, nowhere})
        BOOST_CHECK_THROW(agent::CaptureFile(taken, out), std::runtime_error);
    BOOST_TEST(std::filesystem::file_size(file) == 3u);
    BOOST_TEST(!std::filesystem::exists(fresh));
    agent::CaptureFile(fresh, out).write("new");
    BOOST_TEST(std::filesystem::file_size(fresh) == 3u);
    BOOST_CHECK_NO_THROW(agent::CaptureFile("/dev/null", out).write("anything"));
}

BOOST_AUTO_TEST_CASE(what_is_there_is_written_to_if_nobody_else_reads_it) {
    const agent_test::TemporaryDirectory directory;
    const std::string pipe = directory.path + "/pipe", empty = directory.path + "/empty";
    std::ostringstream out;
    { agent::CaptureFile left(empty, out); } // by a capture that was refused
    BOOST_CHECK_NO_THROW(agent::CaptureFile(empty, out));
    BOOST_REQUIRE(mkfifo(pipe.c_str(), 0666) == 0);
    const int reader = open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    BOOST_CHECK_NO_THROW(agent::CaptureFile(pipe, out));
    if (geteuid() == 0) {
        BOOST_REQUIRE(chown(pipe.c_str(), 65534, 65534) == 0 && chown(empty.c_str(), 65534, 65534) == 0);
        BOOST_CHECK_THROW(agent::CaptureFile(pipe, out), std::runtime_error);
        BOOST_CHECK_THROW(agent::CaptureFile(empty, out), std::runtime_error);
    }
    close(reader);
}

BOOST_AUTO_TEST_SUITE_END()
