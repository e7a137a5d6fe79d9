// SPDX-License-Identifier: Apache-2.0
// Beats from one namespace to another, and which of them wake the receiver.
#include "agent/base/clock.hpp"
#include "heartbeat/codec.hpp"
#include "heartbeat/transport.hpp"
#include "test/host/node.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <memory>
#include <vector>

using heartbeat::Transport;

namespace {

constexpr std::uint64_t kCluster = 0x1122334455667788;

// Begins as a beat of this cluster does, which is all that the kernel asks.
std::vector<std::uint8_t> datagram(std::uint64_t cluster = kCluster) {
    std::vector<std::uint8_t> bytes{'n', 'l', 'b', 'd', 1};
    for (int shift = 56; shift >= 0; shift -= 8)
        bytes.push_back(static_cast<std::uint8_t>(cluster >> shift));
    return bytes;
}

std::unique_ptr<Transport> on(const std::string &interface) {
    heartbeat::Address group{{239, 255, 77, 77}, false}, group6{{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x6e, 0x6c, 0x62, 0x64}, true};
    return std::make_unique<Transport>(std::vector{interface}, Transport::Settings{group, group6, 7777, kCluster},
                                       Transport::Addresses{}, agent::boot_now());
}

struct Pair {
    Node host;
    std::unique_ptr<Transport> node, client;

    Pair() {
        BOOST_REQUIRE(eventually([] { return run("ip -6 address show dev eth0 tentative").empty(); }));
        BOOST_REQUIRE(eventually([this] { return host.on_client("ip -6 address show dev client0 tentative").empty(); }));
        node = on("eth0");
        host.in_client([this] { client = on("client0"); });
        BOOST_REQUIRE(!node->mute());
        BOOST_REQUIRE(!client->mute());
    }

    struct Came {
        int urgent = 0, others = 0; // by which socket
        bool operator==(const Came &) const = default;
    };
    // Two of each: one by each family.
    Came came(unsigned long datagrams, bool believed_early = false) {
        Came seen;
        std::array<std::uint8_t, heartbeat::kMaxDatagram> buffer;
        eventually([&] {
            bool urgent = true; // of each path there is the one for the others first
            for (const int descriptor : node->descriptors()) {
                urgent = !urgent;
                while (node->receive(descriptor, buffer)) {
                    ++(urgent ? seen.urgent : seen.others);
                    node->believed(descriptor, believed_early);
                }
            }
            return seen.urgent + seen.others >= static_cast<int>(2 * datagrams);
        });
        return seen;
    }
    int rests() {
        return static_cast<int>(std::ranges::count_if(node->descriptors(), [this](int fd) { return node->can_rest(fd); }));
    }
};

std::ostream &operator<<(std::ostream &out, const Pair::Came &came) {
    return out << came.urgent << " urgent, " << came.others << " others";
}

} // namespace

BOOST_AUTO_TEST_SUITE(beats)

BOOST_FIXTURE_TEST_CASE(an_urgent_beat_comes_by_a_socket_of_its_own, Pair) {
    BOOST_TEST(rests() == 0); // not before an urgent one has shown that the network leaves its mark
    client->send(datagram(), false);
    client->send(datagram(), true);
    BOOST_TEST(came(2) == (Came{2, 2}));
    BOOST_TEST(rests() == 2);
    client->send(datagram(kCluster + 1), true);
    client->send(datagram(kCluster + 1), false);
    client->send(datagram(), true);
    BOOST_TEST(came(1) == (Came{2, 0}));
    node->count_drops();
    BOOST_TEST(node->counters().filtered == 4u); // what another socket has taken is not counted as foreign
    BOOST_TEST(node->counters().overflowed == 0u);
}

BOOST_FIXTURE_TEST_CASE(where_the_marks_are_taken_away_nothing_rests, Pair) {
    client->send(datagram(), true);
    BOOST_TEST(came(1) == (Came{2, 0}));
    BOOST_TEST(rests() == 2);
    client->send(datagram(), false); // as a switch that sets another class makes an urgent one
    BOOST_TEST(came(1, true) == (Came{0, 2}));
    BOOST_TEST(rests() == 0);
    client->send(datagram(), true);
    BOOST_TEST(came(1) == (Came{2, 0}));
    BOOST_TEST(rests() == 2);
}

BOOST_AUTO_TEST_SUITE_END()
