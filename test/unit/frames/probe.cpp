// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/probe.hpp"

#include <boost/test/unit_test.hpp>

using namespace agent;

namespace {

constexpr ProbeKey kKey{1, 2, 3}, kOther{3, 2, 1};
constexpr filter::MacAddress kCluster{0x03, 0xbf, 0xc0, 0, 2, 0x64}, kOwn{0x0a, 0, 0, 0, 0, 0x99};
constexpr Probe kProbe{0x0123456789abcdef, 7, ProbeKind::ipv4, 2};

using Frame = std::vector<std::uint8_t>;

ProbeRoute route(const char *from) {
    const filter::IpAddress source = filter::parse_ip(from).value();
    return {kCluster, kOwn, source, nowhere(source.family)};
}

bool is(const Frame &frame, ProbeRefusal why, const ProbeKey &key = kKey) {
    const auto opened = open_probe(frame, key);
    const auto *found = std::get_if<ProbeRefusal>(&opened);
    return found && *found == why;
}

} // namespace

BOOST_AUTO_TEST_SUITE(doctor_probe)

BOOST_AUTO_TEST_CASE(what_is_built_opens_again_in_every_form) {
    for (const ProbeRoute &way :
         {route("192.0.2.1"), route("fd00::1"), ProbeRoute{kCluster, kOwn, {}, {}}}) {
        const Frame frame = build_probe(kProbe, way, kKey);
        const auto opened = open_probe(frame, kKey);
        BOOST_REQUIRE(std::holds_alternative<Probe>(opened));
        BOOST_TEST((std::get<Probe>(opened) == kProbe));
        BOOST_TEST(is_meant_as_probe(frame));
    }
}

BOOST_AUTO_TEST_CASE(its_source_is_the_own_mac_and_its_packet_is_for_no_virtual_ip) {
    const Frame frame = build_probe(kProbe, route("192.0.2.1"), kKey);
    BOOST_TEST(Frame(frame.begin(), frame.begin() + 6) == Frame(kCluster.begin(), kCluster.end()),
               boost::test_tools::per_element());
    BOOST_TEST(Frame(frame.begin() + 6, frame.begin() + 12) == Frame(kOwn.begin(), kOwn.end()),
               boost::test_tools::per_element());
    const Frame destination{169, 254, 0x88, 0xb5};
    BOOST_TEST(Frame(frame.begin() + 30, frame.begin() + 34) == destination,
               boost::test_tools::per_element());
    BOOST_TEST(frame[22] == 1); // time to live
}

BOOST_AUTO_TEST_CASE(a_large_one_is_as_long_as_was_asked_and_opens_from_its_beginning) {
    Frame frame = build_probe(kProbe, route("192.0.2.1"), kKey, 9000);
    BOOST_TEST(frame.size() == 14u + 9000u);
    frame.resize(2048);
    BOOST_TEST(std::holds_alternative<Probe>(open_probe(frame, kKey)));
}

BOOST_AUTO_TEST_CASE(a_changed_byte_or_another_key_is_a_wrong_tag) {
    const Frame frame = build_probe(kProbe, route("192.0.2.1"), kKey);
    BOOST_TEST(is(frame, ProbeRefusal::bad_tag, kOther));
    for (std::size_t at = 42 + 5; at < 42 + 32; ++at) { // behind magic and version
        Frame changed = frame;
        changed[at] ^= 1;
        BOOST_TEST(is(changed, ProbeRefusal::bad_tag));
    }
}

BOOST_AUTO_TEST_CASE(what_is_cut_off_is_malformed) {
    const Frame frame = build_probe(kProbe, {kCluster, kOwn, {}, {}}, kKey);
    for (std::size_t size = 0; size < frame.size(); ++size)
        BOOST_TEST(is(Frame(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size)),
                      ProbeRefusal::malformed));
}

BOOST_AUTO_TEST_CASE(a_tagged_frame_opens_too) {
    Frame frame = build_probe(kProbe, route("fd00::1"), kKey);
    const Frame tag{0x81, 0, 0, 5};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    BOOST_TEST(std::holds_alternative<Probe>(open_probe(frame, kKey)));
}

BOOST_AUTO_TEST_SUITE_END()
