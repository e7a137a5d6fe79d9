// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/message.hpp"
#include "test/unit/frames/neighbour_frames.hpp"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <random>
#include <string>

using agent::parse_solicitation;
using agent::Solicitation;

namespace {

constexpr filter::MacAddress kClient{0x0a, 0, 0, 0, 0, 1};

filter::IpAddress ip(const char *text) { return filter::parse_ip(text).value(); }

struct Bad {
    const char *what;
    Frame frame;
};

void all_refused(const std::vector<Bad> &table) {
    for (const auto &[what, frame] : table)
        BOOST_TEST(!parse_solicitation(frame).has_value(), what);
}

} // namespace

BOOST_AUTO_TEST_SUITE(neighbour_message)

BOOST_AUTO_TEST_CASE(arp_request_is_read) {
    BOOST_TEST((parse_solicitation(kArpRequest) ==
                Solicitation{ip("192.0.2.100"), ip("192.0.2.1"), kClient, std::nullopt}));
}

BOOST_AUTO_TEST_CASE(padding_after_an_arp_request_is_ignored) {
    auto padded = kArpRequest;
    padded.resize(60);
    BOOST_TEST((parse_solicitation(padded) == parse_solicitation(kArpRequest)));
}

BOOST_AUTO_TEST_CASE(arp_probe_has_no_asker_address) {
    auto frame = kArpRequest;
    std::fill(frame.begin() + 28, frame.begin() + 32, std::uint8_t{0});
    BOOST_TEST(parse_solicitation(frame).value().is_probe());
    BOOST_TEST(!parse_solicitation(kArpRequest).value().is_probe());
}

BOOST_AUTO_TEST_CASE(answer_to_arp_goes_where_the_message_says_not_the_frame) {
    const auto found = parse_solicitation(with(kArpRequest, 11, 0x77));
    BOOST_TEST((found.value().asker_mac == kClient));
}

BOOST_AUTO_TEST_CASE(solicitation_is_read) {
    BOOST_TEST((parse_solicitation(kSolicitation) ==
                Solicitation{ip("fd00::64"), ip("fd00::1"), kClient, std::nullopt}));
}

BOOST_AUTO_TEST_CASE(source_link_address_wins_over_the_frames) {
    const auto found = parse_solicitation(with_checksum(with(kSolicitation, 85, 0x42)));
    BOOST_TEST((found.value().asker_mac == filter::MacAddress{0x0a, 0, 0, 0, 0, 0x42}));
}

BOOST_AUTO_TEST_CASE(without_source_link_address_the_frames_source_is_answered) {
    auto frame = kSolicitation;
    frame.resize(frame.size() - 8);
    frame[19] = 24;
    BOOST_TEST((parse_solicitation(with_checksum(frame)).value().asker_mac == kClient));
}

BOOST_AUTO_TEST_CASE(options_that_are_not_known_are_skipped) {
    auto frame = kSolicitation;
    const auto nonce =
        bytes("0e 01 010203040506"); // RFC 3971, sent by Linux with enhanced detection
    frame.insert(frame.begin() + 78, nonce.begin(), nonce.end());
    frame[19] = 40;
    BOOST_TEST(parse_solicitation(with_checksum(frame)).has_value());
}

BOOST_AUTO_TEST_CASE(duplicate_address_probe_is_read) {
    const auto found = parse_solicitation(kProbe);
    BOOST_TEST(found.value().is_probe());
    BOOST_TEST((found.value().target == ip("fd00::64")));
}

BOOST_AUTO_TEST_CASE(one_vlan_tag_is_kept_for_the_answer) {
    BOOST_TEST(parse_solicitation(tagged(kArpRequest, 0x6005)).value().vlan_tag.value() == 0x6005);
    BOOST_TEST(parse_solicitation(tagged(kSolicitation, 7)).value().vlan_tag.value() == 7);
    BOOST_TEST(!parse_solicitation(tagged(tagged(kArpRequest, 7), 8)).has_value());
}

BOOST_AUTO_TEST_CASE(truncated_at_every_length_is_refused) {
    for (const auto &whole :
         {kArpRequest, kSolicitation, kProbe, tagged(kArpRequest, 5), tagged(kProbe, 5)})
        for (std::size_t length = 0; length < whole.size(); ++length) {
            const Frame cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
            BOOST_TEST(!parse_solicitation(cut).has_value());
        }
}

BOOST_AUTO_TEST_CASE(arp_that_is_not_a_request_is_refused) {
    all_refused({
        {"reply", with(kArpRequest, 21, 2)},
        {"hardware that is not Ethernet", with(kArpRequest, 15, 6)},
        {"protocol that is not IPv4", with(kArpRequest, 16, 0x86)},
        {"hardware length", with(kArpRequest, 18, 8)},
        {"protocol length", with(kArpRequest, 19, 16)},
        {"sender is a group", with(kArpRequest, 22, 0x0b)},
        {"sender is nobody", with(with(kArpRequest, 22, 0), 27, 0)},
        {"another ethertype", with(kArpRequest, 13, 7)},
    });
}

BOOST_AUTO_TEST_CASE(solicitation_that_rfc_4861_forbids_is_refused) {
    const auto fixed = [](std::size_t at, std::uint8_t value) {
        return with_checksum(with(kSolicitation, at, value));
    };
    all_refused({
        {"hop limit: it came through a router", fixed(21, 254)},
        {"checksum", with(kSolicitation, 57, static_cast<std::uint8_t>(kSolicitation[57] ^ 1))},
        {"code", fixed(55, 1)},
        {"type", fixed(54, 136)},
        {"version", fixed(14, 0x40)},
        {"next header", fixed(20, 17)},
        {"option of length 0", fixed(79, 0)},
        {"option longer than the message", fixed(79, 2)},
        {"length field longer than the frame", fixed(19, 33)},
        {"length field shorter than the message", fixed(19, 23)},
        {"target is a group", fixed(62, 0xff)},
        {"asker is a group", fixed(22, 0xff)},
        {"source link address is a group", fixed(80, 0x0b)},
        {"source link address is nobody", with_checksum(with(fixed(80, 0), 85, 0))},
    });
}

BOOST_AUTO_TEST_CASE(probe_that_rfc_4861_forbids_is_refused) {
    auto with_option = kSolicitation;
    std::fill(with_option.begin() + 22, with_option.begin() + 38, std::uint8_t{0});
    all_refused({
        {"not to the group of its target", with_checksum(with(kProbe, 53, 0x65))},
        {"to no group", with_checksum(with(kProbe, 38, 0xfd))},
        {"with a source link address", with_checksum(with_option)},
    });
}

BOOST_AUTO_TEST_CASE(random_bytes_are_survived) {
    std::mt19937 random(1);
    const std::vector<Frame> seeds{kArpRequest, kSolicitation, kProbe, tagged(kSolicitation, 5)};
    for (int round = 0; round < 200000; ++round) {
        auto frame = seeds[static_cast<std::size_t>(round) % seeds.size()];
        for (int changes = 0; changes < round % 5; ++changes)
            frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
        frame.resize(random() % 3 == 0 ? random() % (frame.size() + 1) : frame.size());
        if (const auto found = parse_solicitation(frame))
            BOOST_REQUIRE((found->asker_mac[0] & 1) == 0);
    }
}

BOOST_AUTO_TEST_SUITE_END()
