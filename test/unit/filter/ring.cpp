// SPDX-License-Identifier: Apache-2.0
// Two rings become one sequence, also when frames come while they are looked at.
#include "filter/pcap/ring.hpp"

#include <boost/test/unit_test.hpp>

#include <deque>
#include <functional>
#include <random>

namespace {

struct Frame {
    std::uint64_t when;
};

// As filter::pcap::Ring: what was peeked at stays the next one. Before each look something may come.
struct FakeRing {
    std::deque<Frame> frames;
    std::optional<Frame> waiting;
    std::function<void()> before_look;

    const std::optional<Frame> &peek() {
        if (waiting) return waiting;
        before_look();
        if (!frames.empty()) {
            waiting = frames.front();
            frames.pop_front();
        }
        return waiting;
    }
    std::optional<Frame> next() {
        const auto found = peek();
        waiting.reset();
        return found;
    }
};

// The order in which frames 1, 2, ... of one flow are given out, short and long ones: mostly the
// rings are empty, and then two come at once, before any look.
std::vector<std::uint64_t> order_of(std::uint64_t frames, unsigned seed) {
    FakeRing small, large;
    std::mt19937 random(seed);
    std::uint64_t count = 0;
    small.before_look = large.before_look = [&] {
        for (int more = random() % 4 == 0 ? 2 : 0; more > 0 && count < frames; --more)
            (random() % 2 == 0 ? small : large).frames.push_back({++count});
    };
    std::vector<std::uint64_t> order;
    while (order.size() < frames)
        if (const auto frame = filter::pcap::next_of(small, large)) order.push_back(frame->when);
    return order;
}

} // namespace

BOOST_AUTO_TEST_SUITE(filter_arrivals)

BOOST_AUTO_TEST_CASE(frames_of_a_flow_keep_their_order_whenever_they_come) {
    const std::vector<std::uint64_t> expected{1, 2, 3, 4, 5, 6, 7, 8, 9};
    for (unsigned seed = 0; seed < 100; ++seed)
        BOOST_TEST(order_of(expected.size(), seed) == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
