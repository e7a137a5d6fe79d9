// SPDX-License-Identifier: Apache-2.0
#include "agent/neighbour_reply.hpp"
#include "agent/neighbour_capture.hpp"
#include "agent/neighbour_groups.hpp"
#include "test/unit/neighbour_frames.hpp"

#include <boost/test/unit_test.hpp>

namespace {

constexpr filter::MacAddress kCluster{0x03, 0xbf, 0xc0, 0, 2, 0x64};
constexpr filter::MacAddress kOwn{0x0a, 0, 0, 0, 0, 0x99};

Frame reply_to(const Frame &question) {
    return agent::build_reply(agent::parse_solicitation(question).value(), kCluster, kOwn);
}

} // namespace

BOOST_AUTO_TEST_SUITE(neighbour_reply)

BOOST_AUTO_TEST_CASE(arp_reply_names_the_cluster_mac_and_comes_from_our_own) {
    BOOST_TEST(reply_to(kArpRequest) ==
                   bytes("0a0000000001 0a0000000099 0806"
                         "0001 0800 06 04 0002 03bfc0000264 c0000264 0a0000000001 c0000201"),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(advertisement_is_solicited_and_goes_to_the_asker) {
    BOOST_TEST(reply_to(kSolicitation) ==
                   with_checksum(bytes("0a0000000001 0a0000000099 86dd"
                                       "60000000 0020 3a ff fd000000000000000000000000000064"
                                       "fd000000000000000000000000000001"
                                       "88 00 0000 60000000 fd000000000000000000000000000064"
                                       "02 01 03bfc0000264")),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(answer_to_a_probe_is_unsolicited_and_goes_to_all_nodes) {
    BOOST_TEST(reply_to(kProbe) ==
                   with_checksum(bytes("333300000001 0a0000000099 86dd"
                                       "60000000 0020 3a ff fd000000000000000000000000000064"
                                       "ff020000000000000000000000000001"
                                       "88 00 0000 20000000 fd000000000000000000000000000064"
                                       "02 01 03bfc0000264")),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(answer_carries_the_tag_of_the_question) {
    for (const auto &question : {kArpRequest, kSolicitation, kProbe})
        BOOST_TEST(reply_to(tagged(question, 0x7005)) == tagged(reply_to(question), 0x7005),
                   boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(group_of_an_address_ends_in_its_last_three_bytes) {
    const auto group =
        agent::solicited_node_group(filter::parse_ip("2001:db8::12:3456:789a").value());
    BOOST_TEST(filter::to_string(group) == "ff02::1:ff56:789a");
}

BOOST_AUTO_TEST_CASE(capture_filter_names_every_virtual_ip) {
    BOOST_TEST(agent::capture_filter({filter::parse_ip("192.0.2.100").value()}) ==
               "(arp[6:2] = 1 and ((arp[24:4] = 0xc0000264)))");
    const auto both = agent::capture_filter(
        {filter::parse_ip("192.0.2.100").value(), filter::parse_ip("fd00::64").value()});
    BOOST_TEST(
        both.find(
            "ip6[48:4] = 0xfd000000 and ip6[52:4] = 0x00000000 and ip6[56:4] = 0x00000000 and "
            "ip6[60:4] = 0x00000064") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
