// SPDX-License-Identifier: Apache-2.0
#include "filter/address.hpp"

#include <boost/test/unit_test.hpp>

BOOST_AUTO_TEST_SUITE(filter_address)

BOOST_AUTO_TEST_CASE(addresses_print_as_they_are_usually_written) {
    for (const char *text : {"192.0.2.1", "0.0.0.0", "255.255.255.255", "::", "fd00::1",
                             "::ffff:1.2.3.4", "2001:db8:1:2:3:4:5:6"}) {
        auto address = filter::parse_ip(text);
        BOOST_REQUIRE_MESSAGE(address, text);
        BOOST_TEST(filter::to_string(*address) == text);
    }
    BOOST_TEST(filter::to_string(*filter::parse_ip("FD00:0:0:0:0:0:0:1")) == "fd00::1");
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused) {
    for (const char *text :
         {"", " ", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04x", "01.2.3.4", "0x1.2.3.4",
          "fd00::1%eth0", "[fd00::1]", "192.0.2.1/24", "fd00::/64", "1::2::3", ":::", "host",
          "1.2.3.4 ", "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000"})
        BOOST_TEST(!filter::parse_ip(text), text);
    BOOST_TEST(!filter::parse_ip(std::string_view("192.0.2.1\0", 10)));
}

BOOST_AUTO_TEST_CASE(families_differ_even_with_equal_bytes) {
    BOOST_TEST((filter::parse_ip("0.0.0.0") != filter::parse_ip("::")));
    BOOST_TEST(filter::parse_ip("0.0.0.0")->is_v4());
}

BOOST_AUTO_TEST_CASE(mac_addresses_print_with_colons_and_parse_back) {
    const filter::MacAddress mac{0x03, 0xbf, 0xc0, 0, 2, 100};
    BOOST_TEST(filter::to_string(mac) == "03:bf:c0:00:02:64");
    BOOST_TEST((filter::parse_mac("03:bf:c0:00:02:64") == mac));
}

BOOST_AUTO_TEST_CASE(what_is_no_mac_address_is_refused) {
    for (const std::string_view text :
         {"", "03:bf:c0:00:02", "03:bf:c0:00:02:64:", "03:bf:c0:00:02:64:65", "3:bf:c0:0:2:64",
          "03-bf-c0-00-02-64", "03:bf:c0:00:02:6g", " 03:bf:c0:00:02:64", "03:BF:C0:00:02:64"})
        BOOST_TEST(!filter::parse_mac(text), text);
}

BOOST_AUTO_TEST_SUITE_END()
