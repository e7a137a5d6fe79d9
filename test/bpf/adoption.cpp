// SPDX-License-Identifier: Apache-2.0
// An agent is killed, another one starts: what it goes on with, and what it must not.
#include "host.hpp"
#include "packets.hpp"

#include "filter/verdict/layout.h"
#include "filter/tc/tc.hpp"
#include "filter/xdp/xdp.hpp"

#include <arpa/inet.h>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <bpf/bpf.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace packets;
using filter::XdpMode;

namespace {

const Bytes kSynFrame = ethernet(ipv4({}, tcp({})));
const Bytes kAckFrame = ethernet(ipv4({}, tcp({.flags = kAck})));
const std::vector<std::uint8_t> kNote = {1, 2, 3};

// All of them; the lease is what was adopted.
using Attach = std::unique_ptr<filter::Datapath> (*)();
constexpr Attach kDatapaths[] = {
    [] { return filter::xdp::attach("near", XdpMode::generic, Host::pin_dir("node"), settings()); },
    [] { return filter::xdp::attach("near", XdpMode::native, Host::pin_dir("node"), settings()); },
    [] { return filter::tc::attach("near", Host::pin_dir("node"), settings()); }};

void die_serving(Attach attach_it = [] { return attach(); }) {
    attach_and_die([=] {
        auto datapath = attach_it();
        datapath->set_lease(kForever);
        datapath->set_note(kNote);
        datapath->set_guarded(all_groups());
        datapath->install(nothing_mine());
        datapath->install(all_mine());
        run_judging(*datapath, kSynFrame);
        return datapath;
    });
}

std::unique_ptr<filter::Datapath> attach_with(const filter::Settings &with) {
    if (over_tc()) return filter::tc::attach("near", Host::pin_dir("node"), with);
    return filter::xdp::attach("near", XdpMode::generic, Host::pin_dir("node"), with);
}

void check_started_anew(filter::Datapath &datapath) {
    BOOST_TEST(!datapath.adopted());
    BOOST_TEST(datapath.note().empty());
    BOOST_TEST(datapath.judge(kSynFrame).reason == "no_owner");
    BOOST_TEST(counter(datapath, "accepted") == 0u);
}

void change_layout_version() {
    int state = bpf_obj_get((Host::pin_dir("node") + "/state").c_str());
    void *memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, state, 0);
    BOOST_REQUIRE(memory != MAP_FAILED);
    static_cast<nlb_state *>(memory)->layout++;
    munmap(memory, 4096);
    close(state);
}

void check_adoption(Attach before, Attach after) {
    die_serving(before);
    auto datapath = after();
    BOOST_TEST(datapath->adopted());
    BOOST_TEST((datapath->note() == kNote));
    BOOST_TEST(datapath->judge(kSynFrame).reason == "accepted");
    BOOST_TEST(datapath->judge(kAckFrame).reason == "guarded");
    BOOST_TEST(counter(*datapath, "accepted") == 1u);
    for (int i = 0; i < 6; i++) {
        datapath->install(i % 2 == 0 ? nothing_mine() : all_mine());
        BOOST_TEST(datapath->judge(kSynFrame).reason == (i % 2 == 0 ? "foreign" : "accepted"));
    }
    datapath->set_note({9});
    BOOST_TEST((datapath->note() == std::vector<std::uint8_t>{9}));
}

} // namespace

BOOST_AUTO_TEST_SUITE(adoption)

BOOST_AUTO_TEST_CASE(tables_lease_groups_counters_and_note_are_adopted) {
    for (Attach before : kDatapaths)
        for (Attach after : kDatapaths)
            check_adoption(before, after);
}

BOOST_AUTO_TEST_CASE(the_lease_goes_on_while_nobody_is_there) {
    attach_and_die([] {
        auto datapath = attach();
        datapath->install(all_mine());
        datapath->set_lease(1);
        return datapath;
    });
    auto datapath = attach_with(settings());
    BOOST_TEST(datapath->adopted());
    BOOST_TEST(datapath->judge(kSynFrame).reason == "lease_expired");
}

BOOST_AUTO_TEST_CASE(other_settings_start_anew) {
    for (int change = 0; change < 4; change++) {
        die_serving();
        filter::Settings with = settings();
        if (change == 0) with.rules[0].last_port++;
        if (change == 1) with.virtual_ips.pop_back();
        if (change == 2) with.hash_key[0]++;
        if (change == 3) with.rules[1].affinity = filter::Affinity::single;
        check_started_anew(*attach_with(with));
    }
}

BOOST_AUTO_TEST_CASE(another_layout_starts_anew) {
    die_serving();
    change_layout_version();
    auto datapath = attach();
    check_started_anew(*datapath);
    datapath->install(all_mine());
    BOOST_TEST(datapath->judge(kSynFrame).reason == "accepted");
}

BOOST_AUTO_TEST_CASE(after_an_orderly_end_there_is_nothing_to_adopt) {
    attach()->install(all_mine());
    check_started_anew(*attach());
}

BOOST_AUTO_TEST_CASE(a_note_has_a_largest_size) {
    auto datapath = attach();
    datapath->set_note(std::vector<std::uint8_t>(filter::kNoteBytes, 7));
    BOOST_TEST(datapath->note().size() == filter::kNoteBytes);
    BOOST_CHECK_THROW(datapath->set_note(std::vector<std::uint8_t>(filter::kNoteBytes + 1)),
                      std::logic_error);
}

// From a process that is gone to one that is there, under traffic.
BOOST_AUTO_TEST_CASE(taking_over_loses_no_packet) {
    for (Attach attach_it : kDatapaths) {
        die_serving(attach_it);
        int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_port = htons(53);
        BOOST_REQUIRE(bind(server, reinterpret_cast<sockaddr *>(&any), sizeof any) == 0);
        std::atomic<unsigned> sent = 0, received = 0;
        char buffer[64];
        auto drain = [&] {
            while (recv(server, buffer, sizeof buffer, 0) >= 0)
                received++;
        };
        std::jthread client([&](std::stop_token stop) {
            Wire far;
            for (; !stop.stop_requested(); sent++, drain())
                far.send(ethernet(ipv4({}, udp({.source = static_cast<std::uint16_t>(sent)}))));
        });
        wait_for([&] { return received > 100; });
        auto datapath = attach_it();
        unsigned at_takeover = received;
        wait_for([&] { return received > at_takeover + 100; });
        client.request_stop();
        client.join();
        wait_for([&] {
            drain();
            return received == sent;
        });
        BOOST_TEST(datapath->adopted());
        close(server);
    }
}

BOOST_AUTO_TEST_SUITE_END()
