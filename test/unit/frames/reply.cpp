// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/line.hpp"
#include "agent/frames/reply.hpp"
#include "agent/frames/solicited.hpp"
#include "test/unit/frames/neighbour_frames.hpp"

#include <boost/test/unit_test.hpp>

namespace {

constexpr filter::MacAddress kCluster{0x03, 0xbf, 0xc0, 0, 2, 0x64};
constexpr filter::MacAddress kOwn{0x0a, 0, 0, 0, 0, 0x99};

filter::IpAddress ip(const char *text) { return filter::parse_ip(text).value(); }

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

BOOST_AUTO_TEST_CASE(arp_question_goes_to_everybody_from_our_own_address) {
    BOOST_TEST(agent::build_question(ip("192.0.2.1"), ip("192.0.2.11"), kOwn) ==
                   bytes("ffffffffffff 0a0000000099 0806"
                         "0001 0800 06 04 0001 0a0000000099 c000020b 000000000000 c0000201"),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(solicitation_goes_to_the_targets_group_and_says_where_to_answer) {
    BOOST_TEST(agent::build_question(ip("fd00::1"), ip("fd00::11"), kOwn) ==
                   with_checksum(bytes("3333ff000001 0a0000000099 86dd"
                                       "60000000 0020 3a ff fd000000000000000000000000000011"
                                       "ff0200000000000000000001ff000001"
                                       "87 00 0000 00000000 fd000000000000000000000000000001"
                                       "01 01 0a0000000099")),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(question_without_an_address_is_a_probe) {
    for (const char *target : {"192.0.2.1", "fd00::1"}) {
        const filter::IpAddress nobody{ip(target).family, {}};
        const auto probe =
            agent::parse_solicitation(agent::build_question(ip(target), nobody, kOwn));
        BOOST_REQUIRE(probe.has_value()); // valid: a solicitation without an option
        BOOST_TEST(probe->is_probe());
        BOOST_TEST((probe->target == ip(target)));
    }
}

BOOST_AUTO_TEST_CASE(group_of_an_address_ends_in_its_last_three_bytes) {
    const auto group =
        agent::solicited_node_group(filter::parse_ip("2001:db8::12:3456:789a").value());
    BOOST_TEST(filter::to_string(group) == "ff02::1:ff56:789a");
}

BOOST_AUTO_TEST_CASE(answer_filter_names_one_address_alone) {
    BOOST_TEST(agent::answer_filter(ip("192.0.2.1")) ==
               "arp[6:2] = 2 and (arp[14:4] = 0xc0000201)");
}

BOOST_AUTO_TEST_CASE(capture_filter_names_every_virtual_ip) {
    BOOST_TEST(agent::capture_filter({filter::parse_ip("192.0.2.100").value()}) ==
               "(arp[6:2] = 1 and ((arp[24:4] = 0xc0000264))) or ((arp[14:4] = 0xc0000264))");
    const auto both = agent::capture_filter(
        {filter::parse_ip("192.0.2.100").value(), filter::parse_ip("fd00::64").value()});
    BOOST_TEST(
        both.find(
            "ip6[48:4] = 0xfd000000 and ip6[52:4] = 0x00000000 and ip6[56:4] = 0x00000000 and "
            "ip6[60:4] = 0x00000064") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
