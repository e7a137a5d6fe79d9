// SPDX-License-Identifier: Apache-2.0
// Frames of every kind, on a node to which every bucket belongs.
#include "host.hpp"
#include "verdicts.hpp"

#include <boost/test/unit_test.hpp>
#include <unistd.h>

using namespace packets;

namespace {

Bytes v4(const Segment &inner) { return ethernet(ipv4({}, inner)); }
Bytes v6(const Segment &inner) { return ethernet(ipv6({}, inner)); }
Bytes tagged(const Bytes &packet, std::vector<std::uint16_t> tags) {
    return ethernet(packet, {.tags = std::move(tags)});
}

const Bytes kSyn4 = ipv4({}, tcp({}));
const Bytes kSyn6 = ipv6({}, tcp({}));

Segment chain(int headers, Segment inner) {
    for (int i = 0; i < headers; i++)
        inner = extension(60, inner);
    return inner;
}

// What an ICMP error carries: four bytes, then the packet that it is about, sent by a virtual IP.
Bytes quote4(const std::string &sender = "192.0.2.100") {
    return zeros(4) + cut(ipv4({.source = sender, .destination = "198.51.100.9"}, tcp({})), 28);
}

Bytes quote6(const std::string &sender = "fd00::100") {
    return zeros(4) + ipv6({.source = sender, .destination = "fd01::9"}, tcp({}));
}

} // namespace

std::vector<Case> well_formed_cases() {
    return {
        {"IPv4 TCP SYN", v4(tcp({})), "accepted", 0},
        {"IPv4 TCP SYN in one VLAN tag", tagged(kSyn4, {0x8100}), "accepted", 0},
        {"IPv4 TCP SYN in one service tag", tagged(kSyn4, {0x88a8}), "accepted", 0},
        {"IPv4 TCP SYN in two tags", tagged(kSyn4, {0x88a8, 0x8100}), "accepted", 0},
        {"IPv4 TCP SYN in two equal tags", tagged(kSyn4, {0x8100, 0x8100}), "accepted", 0},
        {"IPv6 TCP SYN", v6(tcp({})), "accepted", 0},
        {"IPv6 TCP SYN in one VLAN tag", tagged(kSyn6, {0x8100}), "accepted", 0},
        {"IPv6 TCP SYN in two tags", tagged(kSyn6, {0x88a8, 0x8100}), "accepted", 0},
        {"Ethernet padding behind the packet", v4(tcp({})) + zeros(6), "accepted", 0},
        {"IPv4 with four bytes of options", ethernet(ipv4({.options = Bytes{1, 1, 1, 0}}, tcp({}))),
         "accepted", 0},
        {"IPv4 with forty bytes of options", ethernet(ipv4({.options = Bytes(40, 1)}, tcp({}))),
         "accepted", 0},
        {"TCP with options and data", v4(tcp({.options = Bytes(40, 1), .payload = zeros(100)})),
         "accepted", 0},
        {"TCP data", v6(tcp({.flags = kAck, .acknowledged = 5, .payload = zeros(9)})), "accepted",
         0},
        {"UDP", v4(udp({})), "accepted", 1},
        {"UDP over IPv6", v6(udp({})), "accepted", 1},
        {"UDP without data", v6(udp({.payload = {}})), "accepted", 1},
        {"a jumbo frame", v4(udp({.payload = zeros(8900)})), "accepted", 1},
        {"as large as IPv4 gets", v4(udp({.payload = zeros(60000)})), "accepted", 1},
        {"hop-by-hop options", v6(extension(0, tcp({}))), "accepted", 0},
        {"a routing header", v6(extension(43, udp({}))), "accepted", 1},
        {"destination options", v6(extension(60, tcp({}))), "accepted", 0},
        {"all three in a row", v6(extension(0, extension(43, extension(60, tcp({}))))), "accepted",
         0},
        {"eight extension headers", v6(chain(8, tcp({}))), "accepted", 0},
        {"an extension header of 2048 bytes", v6(extension(60, tcp({}), 256)), "accepted", 0},
        {"a fragment header around a whole packet", v6(fragment(0, tcp({}))), "accepted", 0},
        {"first IPv4 fragment of TCP", ethernet(ipv4({.fragment = 0x2000}, tcp({}))), "accepted",
         0},
        {"first IPv4 fragment of UDP, whose length is the whole datagram's",
         ethernet(ipv4({.fragment = 0x2000}, udp({.length = 3000}))), "accepted", 1},
        {"first IPv6 fragment of UDP", v6(fragment(1, udp({.length = 3000}))), "accepted", 1},
        {"first fragment behind options", v6(extension(0, fragment(1, extension(60, tcp({}))))),
         "accepted", 0},
        {"echo request", v4(icmp(8)), "accepted", -1},
        {"echo reply", v4(icmp(0)), "accepted", -1},
        {"timestamp request", v4(icmp(13)), "accepted", -1},
        {"IPv6 echo request", v6(icmpv6(128)), "accepted", -1},
        {"SCTP, which is no rule's", v4(other(132)), "accepted", -1},
        {"ESP over IPv6", v6(other(50)), "accepted", -1},
        {"an authentication header, which hides what follows", v6(other(51)), "accepted", -1},
        {"no next header", v6(other(59, {})), "accepted", -1},
    };
}

BOOST_AUTO_TEST_SUITE(frames)

BOOST_AUTO_TEST_CASE(well_formed_frames_are_accepted_under_their_rule) {
    auto datapath = attach();
    check_cases(*datapath, all_mine(), well_formed_cases());
}

BOOST_AUTO_TEST_CASE(ports_and_addresses_choose_the_rule) {
    auto datapath = attach();
    auto second = [](const Segment &inner) {
        return ethernet(ipv4({.destination = "192.0.2.101"}, inner));
    };
    check_cases(*datapath, all_mine(),
                {
                    {"UDP to a TCP rule's port", v4(udp({.port = 80})), "accepted", -1},
                    {"TCP to a UDP rule's port", v4(tcp({.port = 53})), "accepted", -1},
                    {"below a range", v4(tcp({.port = 7999})), "accepted", -1},
                    {"first of a range", v4(tcp({.port = 8000})), "accepted", 2},
                    {"last of a range, the other protocol", v6(udp({.port = 8999})), "accepted", 2},
                    {"above a range", v4(tcp({.port = 9000})), "accepted", -1},
                    {"port 0", v4(tcp({.port = 0})), "accepted", -1},
                    {"port 65535", v4(udp({.port = 65535})), "accepted", -1},
                    {"a disabled rule", v4(tcp({.port = 9999})), "rule_disabled", 3},
                    {"a disabled rule's port over UDP", v4(udp({.port = 9999})), "accepted", -1},
                    {"a rule of another virtual IP", v4(tcp({.port = 443})), "accepted", -1},
                    {"a rule of this virtual IP", second(tcp({.port = 443})), "accepted", 4},
                    {"a rule of all, at the second", second(tcp({.port = 80})), "accepted", 0},
                    {"a rule of another family's IP", v6(tcp({.port = 443})), "accepted", -1},
                });
}

BOOST_AUTO_TEST_CASE(what_is_not_for_a_virtual_ip_passes_however_broken) {
    auto datapath = attach();
    auto beside4 = [](Ip4 fields) {
        fields.destination = "192.0.2.99";
        return ethernet(ipv4(fields, tcp({})));
    };
    auto to6 = [](const std::string &destination) {
        return ethernet(ipv6({.destination = destination}, tcp({})));
    };
    check_cases(
        *datapath, nothing_mine(),
        {
            {"ARP", ethernet(zeros(28), {.type = 0x0806}), "not_ip"},
            {"LLDP", ethernet(zeros(46), {.type = 0x88cc}), "not_ip"},
            {"a length in place of a type", ethernet(zeros(46), {.type = 46}), "not_ip"},
            {"three VLAN tags", tagged(kSyn4, {0x8100, 0x8100, 0x8100}), "too_many_tags"},
            {"another IPv4 address", beside4({}), "not_virtual_ip"},
            {"another IPv4 address, bad length", beside4({.total = 9}), "not_virtual_ip"},
            {"another IPv4 address, bad version", beside4({.version = 7}), "not_virtual_ip"},
            {"multicast: a beat",
             ethernet(ipv4({.destination = "239.255.77.77"}, udp({.port = 7777}))),
             "not_virtual_ip"},
            {"another IPv6 address", to6("fd00::101"), "not_virtual_ip"},
            {"an IPv6 address that starts like a virtual IP's", to6("c000:264::"),
             "not_virtual_ip"},
            {"solicited-node multicast",
             ethernet(ipv6({.destination = "ff02::1:ff00:100"}, icmpv6(135, zeros(20)))),
             "not_virtual_ip"},
            {"a header cut off in front of its address", cut(v4(tcp({})), 14 + 19), "too_short"},
            {"a tag cut off", cut(tagged(kSyn4, {0x8100}), 16), "too_short"},
        });
}

BOOST_AUTO_TEST_CASE(neighbour_discovery_to_a_virtual_ip_passes_untouched) {
    auto datapath = attach();
    std::vector<Case> cases;
    for (std::uint8_t type = 133; type <= 137; type++)
        cases.push_back(
            {"neighbour discovery", v6(icmpv6(type, zeros(20))), "neighbour_discovery"});
    cases.push_back(
        {"in a VLAN", tagged(ipv6({}, icmpv6(135, zeros(20))), {0x8100}), "neighbour_discovery"});
    cases.push_back(
        {"not behind extension headers", v6(extension(0, icmpv6(135, zeros(20)))), "foreign", -1});
    cases.push_back({"not over IPv4", v4(other(58, zeros(24))), "foreign", -1});
    check_cases(*datapath, nothing_mine(), cases);
}

BOOST_AUTO_TEST_CASE(icmp_errors_reach_every_node_when_they_quote_a_virtual_ip) {
    auto datapath = attach();
    std::vector<Case> cases;
    for (std::uint8_t type : Bytes{3, 4, 5, 11, 12})
        cases.push_back({"IPv4 error", v4(icmp(type, quote4())), "icmp_error"});
    for (std::uint8_t type : Bytes{1, 2, 3, 4})
        cases.push_back({"IPv6 error", v6(icmpv6(type, quote6())), "icmp_error"});
    Bytes six = quote4(), short4 = cut(quote4(), 4 + 19), short6 = cut(quote6(), 4 + 39);
    six[4] = 0x65;
    std::vector<Case> wrong = {
        {"quotes another sender", v4(icmp(3, quote4("192.0.2.99"))), "icmp_quote"},
        {"quotes another sender, IPv6", v6(icmpv6(2, quote6("fd00::101"))), "icmp_quote"},
        {"quotes something else than IPv4", v4(icmp(3, six)), "icmp_quote"},
        {"the quote is cut off", v4(icmp(3, short4)), "truncated"},
        {"the IPv6 quote is cut off", v6(icmpv6(2, short6)), "truncated"},
        {"no quote at all", v4(icmp(3, {})), "truncated"},
    };
    cases.insert(cases.end(), wrong.begin(), wrong.end());
    check_cases(*datapath, nothing_mine(), cases);
}

BOOST_AUTO_TEST_CASE(later_fragments_of_which_no_first_was_seen_pass_on_every_node) {
    auto datapath = attach();
    check_cases(
        *datapath, nothing_mine(),
        {
            {"IPv4, more follow", ethernet(ipv4({.fragment = 0x2001}, other(6))), "later_fragment"},
            {"IPv4, the last", ethernet(ipv4({.fragment = 0x1fff}, other(17, zeros(3)))),
             "later_fragment"},
            {"IPv6", v6(fragment(8, other(6, zeros(3)))), "later_fragment"},
            {"IPv6, behind options", v6(extension(0, fragment(9, other(17)))), "later_fragment"},
            {"the first decides", ethernet(ipv4({.fragment = 0x2000}, tcp({}))), "foreign", 0},
            {"the first decides, IPv6", v6(fragment(1, tcp({}))), "foreign", 0},
        });
}

BOOST_AUTO_TEST_CASE(malformed_packets_to_a_virtual_ip_are_dropped_with_their_reason) {
    auto datapath = attach();
    auto ip4 = [](const Ip4 &fields, const Segment &inner = tcp({})) {
        return ethernet(ipv4(fields, inner), {.type = 0x0800});
    };
    auto ip6 = [](const Ip6 &fields, const Segment &inner = tcp({})) {
        return ethernet(ipv6(fields, inner), {.type = 0x86dd});
    };
    check_cases(
        *datapath, all_mine(),
        {
            {"IPv4 of version 6", ip4({.version = 6}), "ip_header"},
            {"IPv4 header of 16 bytes", ip4({.header_words = 4}), "ip_header"},
            {"IPv4 header of no bytes", ip4({.header_words = 0}), "ip_header"},
            {"IPv6 of version 4", ip6({.version = 4}), "ip_header"},
            {"IPv4 header longer than the packet", ip4({.header_words = 15, .total = 59}),
             "ip_length"},
            {"IPv4 length below its header", ip4({.total = 19}), "ip_length"},
            {"IPv4 length 0", ip4({.total = 0}), "ip_length"},
            {"IPv4 length above the frame's", ip4({.total = 41}), "ip_length"},
            {"IPv6 length above the frame's", ip6({.length = 21}), "ip_length"},
            {"nine extension headers", ip6({}, chain(9, tcp({}))), "too_many_headers"},
            {"an extension header longer than the packet",
             ip6({.length = 8}, extension(60, tcp({}), 2)), "truncated"},
            {"half an extension header", ip6({.length = 4}, extension(60, tcp({}))), "truncated"},
            {"no TCP header", ip4({}, other(6, {})), "truncated"},
            {"19 bytes of TCP", ip4({}, other(6, zeros(19))), "truncated"},
            {"TCP that ends in the padding", ip4({.total = 39}), "truncated"},
            {"a tiny first fragment", ip4({.fragment = 0x2000}, other(6, zeros(8))), "truncated"},
            {"7 bytes of UDP", ip4({}, other(17, zeros(7))), "truncated"},
            {"7 bytes of ICMP", ip4({}, other(1, zeros(7))), "truncated"},
            {"7 bytes of ICMPv6", ip6({}, other(58, zeros(7))), "truncated"},
            {"TCP header of 16 bytes", ip4({}, tcp({.offset = 4})), "tcp_header"},
            {"TCP header longer than the packet", ip6({}, tcp({.offset = 6})), "tcp_header"},
            {"UDP length 7", ip4({}, udp({.length = 7})), "udp_length"},
            {"UDP length 0", ip6({}, udp({.length = 0})), "udp_length"},
            {"UDP length above the packet's", ip4({}, udp({.length = 13})), "udp_length"},
            {"UDP length 7 in a first fragment", ip4({.fragment = 0x2000}, udp({.length = 7})),
             "udp_length"},
        });
}

// XDP reads only the first buffer of a frame, most of a page; user space reads all of it. Eight headers of 2 KiB fill
// a page of 16 KiB; one of 64 KiB holds whatever may be in front of TCP.
BOOST_AUTO_TEST_CASE(headers_beyond_what_can_be_read_are_dropped_as_such) {
    auto datapath = attach();
    datapath->install(all_mine());
    const long page = sysconf(_SC_PAGESIZE);
    if (page > 16384 || over_tc()) return; // the kernel runs no tc program on a frame of this size
    Segment inner = tcp({});
    for (long filled = 0; filled < page; filled += 2048)
        inner = extension(60, inner, 256);
    const Bytes frame = v6(inner);
    BOOST_TEST(datapath->judge(frame).reason == "header_too_deep");
    BOOST_TEST(drops(*datapath, run_judging(*datapath, frame)));
}

BOOST_AUTO_TEST_CASE(other_nodes_packets_are_dropped) {
    auto datapath = attach();
    std::vector<Case> cases = well_formed_cases();
    for (Case &one : cases)
        one.reason = "foreign";
    check_cases(*datapath, nothing_mine(true), cases);
    for (Case &one : cases)
        one.reason = "no_owner";
    check_cases(*datapath, nothing_mine(false), cases);
}

BOOST_AUTO_TEST_SUITE_END()
