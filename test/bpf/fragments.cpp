// SPDX-License-Identifier: Apache-2.0
// Fragments: the first decides by its ports, the later ones of a datagram that is not ours are
// dropped.
#include "host.hpp"
#include "packets.hpp"
#include "reference.hpp"
#include "verdicts.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <iterator>

using namespace packets;

namespace {

struct Datagram {
    std::string source, destination;
    std::uint8_t protocol = 17;
    std::uint32_t id = 1;
};
const Datagram kFour{"198.51.100.9", "192.0.2.100"}, kSix{"fd01::9", "fd00::100"};

bool is_v4(const Datagram &datagram) { return filter::parse_ip(datagram.source)->is_v4(); }

Bytes packet(const Datagram &datagram, bool first, Segment inner) {
    inner.protocol = datagram.protocol;
    const auto &[source, destination, protocol, id] = datagram;
    if (is_v4(datagram))
        return ethernet(ipv4({.source = source,
                              .destination = destination,
                              .fragment = first ? 0x2000u : 0x2040u,
                              .id = id},
                             inner));
    return ethernet(ipv6({.source = source, .destination = destination},
                         fragment(first ? 1u : 0x201u, inner, id)));
}

Bytes first(const Datagram &datagram) {
    return packet(datagram, true,
                  datagram.protocol == 6 ? tcp({}) : udp({.length = 3000, .payload = zeros(504)}));
}
Bytes later(const Datagram &datagram) { return packet(datagram, false, other(17, zeros(512))); }

std::vector<Datagram> others_than(const Datagram &datagram) {
    std::vector<Datagram> others(4, datagram);
    others[0].source = is_v4(datagram) ? "198.51.100.8" : "fd01::8";
    others[1].destination = is_v4(datagram) ? "192.0.2.101" : "fd00::7";
    others[2].id = 0x10001; // the same low 16 bits, all that IPv4 has
    others[3].protocol = 6;
    if (is_v4(datagram)) others[2].id = 0x101;
    if (!is_v4(datagram)) others.erase(others.begin() + 3); // the protocol is no part of it
    if (!is_v4(datagram)) others.erase(others.begin() + 1); // there is one virtual IP alone
    return others;
}

} // namespace

BOOST_AUTO_TEST_SUITE(fragments)

BOOST_AUTO_TEST_CASE(later_fragments_of_a_dropped_first_one_are_dropped_and_no_others) {
    auto datapath = attach();
    for (const Datagram &datagram : {kFour, kSix}) {
        std::vector<Case> cases = {
            {"before the first", later(datagram), "later_fragment"},
            {"the first", first(datagram), "foreign", 1},
            {"after the first", later(datagram), "foreign_fragment"},
            {"and once more", later(datagram), "foreign_fragment"},
        };
        for (const Datagram &other : others_than(datagram))
            cases.push_back({"of another datagram", later(other), "later_fragment"});
        check_cases(*datapath, nothing_mine(), cases);
    }
}

BOOST_AUTO_TEST_CASE(datagram_under_the_same_number_that_is_ours_is_let_in) {
    auto datapath = attach();
    for (const Datagram &datagram : {kFour, kSix}) {
        datapath->install(nothing_mine());
        BOOST_TEST(datapath->judge(first(datagram)).reason == "foreign");
        BOOST_TEST(datapath->judge(later(datagram)).reason == "foreign_fragment");
        datapath->install(all_mine());
        BOOST_TEST(datapath->judge(first(datagram)).reason == "accepted");
        BOOST_TEST(datapath->judge(later(datagram)).reason == "later_fragment");
    }
}

BOOST_AUTO_TEST_CASE(first_fragment_that_drops_for_any_reason_takes_the_later_ones_with_it) {
    auto datapath = attach();
    const Bytes tiny = packet(kFour, true, other(17, zeros(7)));
    check_cases(*datapath, all_mine(),
                {{"too small for its ports", tiny, "truncated"},
                 {"its second", later(kFour), "foreign_fragment"}});
}

BOOST_AUTO_TEST_CASE(mark_of_a_datagram_counts_for_seconds_and_not_for_ever) {
    auto state = state_of(nothing_mine());
    const std::uint64_t second = 1'000'000'000;
    for (const std::uint64_t start : {0 * second, 3 * second, 70'000 * second}) {
        set_reference_clock(start);
        BOOST_TEST(reference(*state, first(kFour)).reason == "foreign");
        BOOST_TEST(reference(*state, later(kFour)).reason == "foreign_fragment");
        set_reference_clock(start + 4 * second);
        BOOST_TEST(reference(*state, later(kFour)).reason == "foreign_fragment");
        for (const std::uint64_t age : {6, 100, 70'000}) {
            set_reference_clock(start + age * second);
            BOOST_TEST(reference(*state, later(kFour)).reason == "later_fragment");
        }
    }
    set_reference_clock(0);
}

// The table has room for 4096: most of a thousand datagrams at once are known, none mistaken.
BOOST_AUTO_TEST_CASE(many_datagrams_at_once_are_told_apart) {
    auto state = state_of(nothing_mine());
    unsigned marked = 0, mistaken = 0;
    for (unsigned id = 0; id < 1000; id++)
        reference(*state, first({kSix.source, kSix.destination, 17, id}));
    for (unsigned id = 0; id < 1000; id++) {
        marked += reference(*state, later({kSix.source, kSix.destination, 17, id})).drop;
        mistaken += reference(*state, later({kSix.source, kSix.destination, 17, id + 1000})).drop;
    }
    BOOST_TEST(marked > 800u);
    BOOST_TEST(mistaken == 0u);
}

// An attacker without the key cannot aim a mark at another's datagrams.
BOOST_AUTO_TEST_CASE(marks_lie_elsewhere_under_another_key) {
    auto one = state_of(nothing_mine()), other = state_of(nothing_mine());
    for (nlb_config &config : other->config)
        config.key[0] ^= 1;
    for (nlb_state *state : {one.get(), other.get()})
        BOOST_TEST(reference(*state, first(kSix)).reason == "foreign");
    BOOST_TEST(!std::equal(std::begin(one->marks), std::end(one->marks), std::begin(other->marks)));
}

BOOST_AUTO_TEST_CASE(first_fragment_that_is_taken_leaves_the_marks_of_others) {
    auto dropping = state_of(nothing_mine()), taking = state_of(all_mine());
    for (unsigned id = 0; id < 1000; id++)
        reference(*dropping, first({kSix.source, kSix.destination, 17, id}));
    std::copy(std::begin(dropping->marks), std::end(dropping->marks), std::begin(taking->marks));
    for (unsigned id = 1000; id < 3000; id++)
        reference(*taking, first({kSix.source, kSix.destination, 17, id}));
    unsigned marked = 0;
    for (unsigned id = 0; id < 1000; id++)
        marked += reference(*taking, later({kSix.source, kSix.destination, 17, id})).drop;
    BOOST_TEST(marked > 800u);
}

BOOST_AUTO_TEST_SUITE_END()
