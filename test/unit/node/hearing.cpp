// SPDX-License-Identifier: Apache-2.0
// Whether a node is part of the clients' network, by beats alone. Node 1 is this one; 2 and 3 are heard
// on another interface all the while.
#include "agent/node/hearing.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace std::chrono_literals;
using agent::Hearing;
using heartbeat::NodeBits;
using heartbeat::NodeId;
using heartbeat::Time;

constexpr NodeId k1{1}, k2{2}, k3{3};
constexpr NodeBits bits(auto... ids) { return (heartbeat::bit(ids) | ... | NodeBits{0}); }

struct Network {
    Hearing hearing{k1, 500ms, 0ms};
    Time now{};
    heartbeat::Sequence sequence = 0;

    heartbeat::Beat beat(NodeId of, NodeBits hears = 0) const {
        heartbeat::Beat beat;
        beat.sender = of;
        beat.life = 10 + heartbeat::index(of);
        beat.sequence = sequence;
        beat.hears_at_clients = hears;
        return beat;
    }
    // 2 and 3 hear these on the clients' interface; node 1 hears `here` there.
    void run(Time how_long, NodeBits of_2, NodeBits of_3, NodeBits here) {
        for (const Time end = now + how_long; now < end; now += 50ms) {
            ++sequence;
            for (const auto &one : {beat(k2, of_2), beat(k3, of_3)}) {
                hearing.heard(now, one, true, false);
                if (here & heartbeat::bit(one.sender)) hearing.heard(now, one, false, true);
            }
        }
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(hearing)

BOOST_AUTO_TEST_CASE(a_node_that_hears_and_is_heard_is_part_of_the_network) {
    Network network;
    network.run(2s, bits(k1, k3), bits(k1, k2), bits(k2, k3));
    BOOST_TEST(!network.hearing.dead_path(network.now));
    BOOST_TEST(network.hearing.at_clients(network.now) == bits(k2, k3));
}

BOOST_AUTO_TEST_CASE(a_node_that_hears_nobody_there_for_dead_after_is_deaf) {
    Network network;
    network.run(2s, bits(k1, k3), bits(k1, k2), bits(k2, k3));
    network.run(400ms, bits(k1, k3), bits(k1, k2), 0);
    BOOST_TEST(!network.hearing.dead_path(network.now));
    network.run(200ms, bits(k1, k3), bits(k1, k2), 0);
    BOOST_TEST((network.hearing.dead_path(network.now) == Hearing::DeadPath{true, k2, k3}));
    BOOST_TEST(network.hearing.at_clients(network.now) == 0u);
    network.run(50ms, bits(k1, k3), bits(k1, k2), bits(k3));
    BOOST_TEST(!network.hearing.dead_path(network.now));
}

BOOST_AUTO_TEST_CASE(a_node_that_nobody_hears_there_is_mute) {
    Network network;
    network.run(600ms, bits(k3), bits(k2), bits(k2, k3));
    BOOST_TEST((network.hearing.dead_path(network.now) == Hearing::DeadPath{false, k2, k3}));
    network.run(50ms, bits(k3), bits(k1, k2), bits(k2, k3));
    BOOST_TEST(!network.hearing.dead_path(network.now));
}

BOOST_AUTO_TEST_CASE(where_no_two_others_hear_each_other_nobody_is_told_from_the_rest) {
    Network network;
    network.run(2s, 0, 0, 0);
    BOOST_TEST(!network.hearing.dead_path(network.now));
    network.run(2s, bits(k1), bits(k1), 0); // it may as well be they who cannot be heard
    BOOST_TEST(!network.hearing.dead_path(network.now));
}

BOOST_AUTO_TEST_CASE(the_word_of_the_silent_is_not_heeded) {
    Network network;
    network.run(100ms, bits(k3), bits(k2), 0);
    BOOST_TEST(!network.hearing.dead_path(network.now + 2s));
}

BOOST_AUTO_TEST_CASE(an_old_copy_is_no_sign_of_life) {
    Network network;
    network.run(1s, bits(k1, k3), bits(k1, k2), bits(k2, k3));
    const heartbeat::Beat old = network.beat(k2);
    for (int round = 0; round < 20; ++round) {
        network.run(50ms, bits(k1, k3), bits(k1, k2), 0);
        if (network.sequence > old.sequence + 16) network.hearing.heard(network.now, old, false, true);
    }
    BOOST_TEST(network.hearing.dead_path(network.now).has_value());
}

BOOST_AUTO_TEST_CASE(two_that_fall_silent_in_one_moment_are_lost_together) {
    Network network;
    network.run(1s, 0, 0, 0);
    BOOST_TEST(!network.hearing.lost_together(network.now + 400ms));
    BOOST_TEST(network.hearing.lost_together(network.now + 500ms));
    network.hearing.heard(network.now + 600ms, network.beat(k2), true, false);
    BOOST_TEST(!network.hearing.lost_together(network.now + 600ms));
    BOOST_TEST(!network.hearing.lost_together(network.now + 5s)); // one after the other
}

BOOST_AUTO_TEST_CASE(those_that_said_farewell_are_not_lost) {
    Network network;
    for (const NodeId id : {k2, k3}) {
        heartbeat::Beat farewell = network.beat(id);
        farewell.state = heartbeat::NodeState::dead;
        network.hearing.heard(network.now, farewell, true, false);
    }
    BOOST_TEST(!network.hearing.lost_together(network.now + 2s));
}

BOOST_AUTO_TEST_SUITE_END()
