// SPDX-License-Identifier: Apache-2.0
#include "heartbeat/codec.hpp"
#include "heartbeat/membership.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <random>

using namespace heartbeat;

namespace {

NodeId id(unsigned number) { return NodeId{static_cast<std::uint8_t>(number)}; }

Envelope envelope(const char *cluster = "web", std::uint8_t key = 7) {
    std::array<std::uint8_t, 32> bytes{};
    bytes.fill(key);
    return make_envelope(cluster, bytes);
}

Beat largest() { // as large as a beat can be: 32 nodes, 32 rules
    Beat beat;
    beat.sender = id(1);
    beat.life = ~Life{0};
    beat.previous = 1;
    beat.sequence = (Sequence{1} << 48) - 1;
    beat.state = NodeState::draining;
    beat.weight = 100;
    beat.eligible = 0x80000001;
    beat.healthy = 0x7ffffffe;
    beat.role = Role::leading;
    beat.choice = id(1);
    beat.term = 12;
    beat.may_lead = true;
    beat.vote = {12, id(1)};
    beat.highest = {12, id(1)};
    beat.led = {12, id(1)};
    beat.led_ago_ms = 12;
    beat.formerly_led_ago_ms = 123;
    beat.clock = std::chrono::hours(24 * 365);
    beat.electorate = {12, id(1), 3, 11, 2, 0xffffffff, 0x7fffffff};
    beat.applied = {12, id(1), 34};
    beat.done = true;
    beat.lease_left_ms = 399;
    beat.view = View{{12, id(1), 34}, 5, {}};
    for (unsigned i = 1; i <= 32; ++i)
        beat.view->members.push_back({id(i), i * 1000ull, 100, ~RuleBits{0}});
    for (unsigned i = 2; i <= 32; ++i)
        beat.quotes.push_back({id(i), i * 1000ull, i * 7ull, 44});
    beat.sections.assign(71, 0xbeef); // seven, nodes, rules
    beat.config = 99;
    beat.ownership = 98;
    beat.lingering.fill(0x5555555555555555);
    beat.connections = 70000;
    beat.hears_at_clients = 0xfffffffe;
    beat.mac = {2, 0, 0, 0, 0x12, 0xff};
    beat.staged_eligible = 0x80000001;
    beat.staged_healthy = 0x40000002;
    return beat;
}

Refusal refusal_of(std::span<const std::uint8_t> datagram, const Envelope &with) {
    const auto opened = open(datagram, with);
    BOOST_REQUIRE(std::holds_alternative<Refusal>(opened));
    return std::get<Refusal>(opened);
}

bool opens(const Beat &beat) {
    return std::holds_alternative<Beat>(open(seal(beat, envelope()), envelope()));
}

} // namespace

BOOST_AUTO_TEST_SUITE(codec)

BOOST_AUTO_TEST_CASE(while_the_key_is_changed_either_opens_and_the_first_seals) {
    const Envelope old_one = envelope("web", 7), next = envelope("web", 8);
    Envelope both = old_one;
    both.other = next.key;
    for (const Envelope &sealed : {old_one, next})
        BOOST_TEST(std::holds_alternative<Beat>(open(seal(largest(), sealed), both)));
    BOOST_TEST((refusal_of(seal(largest(), envelope("web", 9)), both) == Refusal::bad_tag));
    BOOST_TEST(std::holds_alternative<Beat>(open(seal(largest(), both), old_one)));
    BOOST_TEST((refusal_of(seal(largest(), both), next) == Refusal::bad_tag));
}

BOOST_AUTO_TEST_CASE(the_largest_beat_fits_and_comes_back_as_it_was) {
    const auto datagram = seal(largest(), envelope());
    BOOST_TEST(datagram.size() <= kMaxDatagram);
    BOOST_TEST((std::get<Beat>(open(datagram, envelope())) == largest()));
}

BOOST_AUTO_TEST_CASE(a_beat_without_a_view_comes_back_as_it_was) {
    Beat beat = largest();
    beat.view.reset();
    beat.role = Role::joining;
    BOOST_TEST((std::get<Beat>(open(seal(beat, envelope()), envelope())) == beat));
}

BOOST_AUTO_TEST_CASE(each_refusal_has_its_reason) {
    const auto good = seal(largest(), envelope());
    auto changed = [&](std::size_t at) {
        auto copy = good;
        copy[at] ^= 1;
        return copy;
    };
    BOOST_TEST((refusal_of({}, envelope()) == Refusal::too_short));
    BOOST_TEST((refusal_of(std::vector<std::uint8_t>(1401), envelope()) == Refusal::too_long));
    BOOST_TEST((refusal_of(changed(0), envelope()) == Refusal::foreign_protocol));
    BOOST_TEST((refusal_of(changed(4), envelope()) == Refusal::other_version));
    BOOST_TEST((refusal_of(changed(6), envelope()) == Refusal::foreign_cluster));
    BOOST_TEST((refusal_of(good, envelope("mail")) == Refusal::foreign_cluster));
    BOOST_TEST((refusal_of(good, envelope("web", 8)) == Refusal::bad_tag));
}

BOOST_AUTO_TEST_CASE(any_changed_byte_behind_the_header_breaks_the_tag) {
    const auto good = seal(largest(), envelope());
    for (std::size_t at = 13; at < good.size(); ++at) {
        auto copy = good;
        copy[at] ^= 0x40;
        BOOST_REQUIRE((refusal_of(copy, envelope()) == Refusal::bad_tag));
    }
}

BOOST_AUTO_TEST_CASE(truncated_anywhere_it_is_refused) {
    const auto good = seal(largest(), envelope());
    for (std::size_t size = 0; size < good.size(); ++size) {
        const auto why = refusal_of(std::span(good).first(size), envelope());
        BOOST_REQUIRE((why == Refusal::too_short || why == Refusal::bad_tag));
    }
}

// A peer that holds the key but has gone wrong: every field out of its range. Configurations are
// guessable: an eavesdropper must not see whether two are the same, nor test guesses.
BOOST_AUTO_TEST_CASE(digests_are_nowhere_to_be_read_without_the_key) {
    Beat beat = largest();
    const std::array<std::uint8_t, 8> shown{0x51, 0x62, 0x73, 0x84, 0x95, 0xa6, 0xb7, 0xc8};
    beat.config = beat.staged = beat.ownership = beat.view->config = 0x5162738495a6b7c8;
    const auto reads = [&](const std::vector<std::uint8_t> &datagram) {
        return !std::ranges::search(datagram, shown).empty();
    };
    const auto first = seal(beat, envelope());
    BOOST_TEST(!reads(first));
    BOOST_TEST((std::get<Beat>(open(first, envelope())) == beat));
    Beat same = beat;
    --same.sequence;
    const auto differing = [&](const std::vector<std::uint8_t> &other) {
        std::size_t count = 0;
        for (std::size_t i = 0; i + 16 < first.size(); ++i)
            count += first[i] != other[i];
        return count;
    };
    constexpr std::size_t kDigests = 4 * 8 + 71 * 2;
    BOOST_TEST(differing(seal(same, envelope())) > kDigests * 9 / 10);   // in the next beat
    BOOST_TEST(differing(seal(beat, envelope("web", 8))) > kDigests * 9 / 10); // with another key
    for (const std::uint16_t section : beat.sections)
        BOOST_REQUIRE(section == 0xbeef);
    const std::array<std::uint8_t, 4> pair{0xbe, 0xef, 0xbe, 0xef};
    BOOST_TEST(std::ranges::search(first, pair).empty());
}

BOOST_AUTO_TEST_CASE(sealed_nonsense_is_malformed) {
    const std::vector<std::function<void(Beat &)>> wrongs = {
        [](Beat &beat) { beat.sender = kNoNode; },
        [](Beat &beat) { beat.sender = id(33); },
        [](Beat &beat) { beat.life = 0; },
        [](Beat &beat) { beat.state = NodeState{7}; },
        [](Beat &beat) { beat.role = Role{9}; },
        [](Beat &beat) { beat.weight = 101; },
        [](Beat &beat) { beat.choice = id(200); },
        [](Beat &beat) { beat.view.reset(); }, // a leader has one
        [](Beat &beat) { beat.view->number.leader = kNoNode; },
        [](Beat &beat) { beat.view->members[3].id = beat.view->members[2].id; },
        [](Beat &beat) { beat.view->members[3].weight = 101; },
        [](Beat &beat) { beat.view->members[3].life = 0; },
        [](Beat &beat) { std::swap(beat.quotes[0], beat.quotes[1]); },
        [](Beat &beat) { beat.quotes[5].life = 0; },
    };
    BOOST_TEST(opens(largest()));
    for (std::size_t i = 0; i < wrongs.size(); ++i) {
        Beat beat = largest();
        wrongs[i](beat);
        BOOST_TEST_INFO("wrong number " << i);
        BOOST_CHECK((refusal_of(seal(beat, envelope()), envelope()) == Refusal::malformed));
    }
}

BOOST_AUTO_TEST_CASE(random_bytes_are_never_a_beat) {
    std::mt19937 random(1);
    for (int round = 0; round < 20000; ++round) {
        std::vector<std::uint8_t> bytes(random() % 1500);
        for (auto &byte : bytes)
            byte = static_cast<std::uint8_t>(random());
        if (bytes.size() > 4 && round % 2)
            std::copy_n(seal(largest(), envelope()).begin(), 5, bytes.begin());
        BOOST_REQUIRE(std::holds_alternative<Refusal>(open(bytes, envelope())));
    }
}

BOOST_AUTO_TEST_CASE(a_saved_life_comes_back_to_its_own_successor_alone) {
    Saved saved;
    saved.started = std::chrono::seconds(5);
    saved.life = 7;
    saved.sequence = 1000;
    saved.vote = {3, id(2)};
    saved.led = {id(2), 3, std::chrono::seconds(6)};
    saved.formerly_led = std::chrono::seconds(5);
    saved.view = *largest().view;
    saved.installed = saved.serving = true;
    saved.lease_until = std::chrono::seconds(9);
    const auto bytes = pack(saved, id(4));
    BOOST_TEST((unpack(bytes, id(4)) == saved));
    BOOST_TEST(!unpack(bytes, id(5)).has_value());
    for (std::size_t size = 0; size < bytes.size(); ++size)
        BOOST_REQUIRE(!unpack(std::span(bytes).first(size), id(4)));
}

BOOST_AUTO_TEST_SUITE_END()
