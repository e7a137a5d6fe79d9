// SPDX-License-Identifier: Apache-2.0
// Frames cut at every length, and frames with bytes changed at random: nothing half-read is ever
// let in by its ports, and the program in the kernel decides as the same code does in user space.
#include "host.hpp"
#include "reference.hpp"
#include "verdicts.hpp"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <random>

using namespace packets;

namespace {

// Where the fixed IP header begins.
std::size_t ip_offset(const Bytes &frame) {
    std::size_t at = 12;
    while ((frame[at] == 0x81 && frame[at + 1] == 0) ||
           (frame[at] == 0x88 && frame[at + 1] == 0xa8))
        at += 4;
    return at + 2;
}

bool is_v4(const Bytes &frame) { return frame[ip_offset(frame)] >> 4 == 4; }

std::size_t ip_length(const Bytes &frame) {
    std::size_t ip = ip_offset(frame);
    auto big = [&](std::size_t at) { return std::size_t{frame[at]} << 8 | frame[at + 1]; };
    return is_v4(frame) ? big(ip + 2) : 40 + big(ip + 4);
}

void set_ip_length(Bytes &frame) {
    std::size_t ip = ip_offset(frame), length = frame.size() - ip - (is_v4(frame) ? 0 : 40);
    std::size_t at = ip + (is_v4(frame) ? 2 : 4);
    frame[at] = static_cast<std::uint8_t>(length >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(length);
}

struct Judges {
    std::unique_ptr<filter::Datapath> datapath = attach();
    std::unique_ptr<nlb_state> state = std::make_unique<nlb_state>();

    explicit Judges(const filter::Tables &tables) {
        datapath->install(tables);
        filter::write_config(settings(), state->config[0]);
        filter::write_owners(tables, settings().rules.size(), state->owners[0]);
        state->lease_ns = kForever;
    }

    filter::Verdict agreed(const Bytes &frame) {
        filter::Verdict kernel = datapath->judge(frame), user = reference(*state, frame);
        BOOST_TEST(kernel.reason == user.reason);
        BOOST_TEST(kernel.rule == user.rule);
        BOOST_TEST(kernel.bucket == user.bucket);
        return kernel;
    }
};

// Below the kernel's largest linear frame, where both read the same bytes.
std::vector<Case> small_cases() {
    std::vector<Case> cases;
    for (Case &one : well_formed_cases())
        if (one.frame.size() < 1500) cases.push_back(one);
    return cases;
}

} // namespace

BOOST_AUTO_TEST_SUITE(truncation)

BOOST_AUTO_TEST_CASE(a_frame_cut_short_is_never_accepted) {
    Judges judges(all_mine());
    for (const Case &one : small_cases()) {
        std::size_t addresses = ip_offset(one.frame) + (is_v4(one.frame) ? 20 : 40);
        std::size_t end = ip_offset(one.frame) + ip_length(one.frame);
        for (std::size_t length = 0; length < end; length++) {
            BOOST_TEST_CONTEXT(one.situation << ", cut to " << length) {
                std::string_view expected = length < addresses ? "too_short" : "ip_length";
                BOOST_TEST(judges.agreed(cut(one.frame, length)).reason == expected);
            }
        }
    }
}

// The program that counts and drops, not only the one that judges.
BOOST_AUTO_TEST_CASE(a_frame_cut_short_is_dropped_or_left_alone) {
    Judges judges(all_mine());
    Bytes frame = ethernet(ipv6({}, extension(0, tcp({}))), {.tags = {0x8100}});
    for (std::size_t length = 14; length < frame.size(); length++) {
        Bytes part = cut(frame, length);
        Run run = run_judging(*judges.datapath, part);
        BOOST_TEST(drops(*judges.datapath, run) == (length >= 18 + 40));
        BOOST_TEST((run.frame == part));
    }
}

// The IP header tells the truth about what is left; what lies above it is cut off.
BOOST_AUTO_TEST_CASE(a_transport_header_cut_short_is_never_accepted) {
    Judges judges(all_mine());
    for (const Case &one : small_cases()) {
        std::size_t addresses = ip_offset(one.frame) + (is_v4(one.frame) ? 20 : 40);
        std::size_t end = ip_offset(one.frame) + ip_length(one.frame);
        bool has_rule = one.rule >= 0;
        for (std::size_t length = addresses; length < end; length++) {
            BOOST_TEST_CONTEXT(one.situation << ", cut to " << length) {
                Bytes part = cut(one.frame, length);
                set_ip_length(part);
                filter::Verdict verdict = judges.agreed(part);
                std::size_t left = end - length, data = one.frame.size() > 100 ? 100 : 9;
                if (has_rule && left > data) BOOST_TEST(verdict.drop);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(changed_bytes_get_the_same_verdict_in_the_kernel_and_in_user_space) {
    std::mt19937 random(3);
    filter::Tables tables = nothing_mine();
    for (filter::Table &table : tables)
        for (std::uint64_t &word : table.mine)
            word = std::uint64_t{random()} << 32 | random();
    Judges judges(tables);
    std::vector<Case> cases = small_cases();
    for (int round = 0; round < 20000; round++) {
        Bytes frame = cases[random() % cases.size()].frame;
        for (unsigned changes = 1 + unsigned(random() % 6); changes > 0; changes--)
            frame[12 + random() % (frame.size() - 12)] = static_cast<std::uint8_t>(random());
        if (random() % 4 == 0) frame.resize(14 + random() % (frame.size() - 14));
        judges.agreed(frame);
    }
}

BOOST_AUTO_TEST_SUITE_END()
