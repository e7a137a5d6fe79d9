// SPDX-License-Identifier: Apache-2.0
// Tables of another process are read only when their layout is ours.
#include "test/unit/temporary_directory.hpp"

#include "filter/pcap/packet_tables.hpp"

#include <boost/test/unit_test.hpp>

#include <fstream>

BOOST_AUTO_TEST_SUITE(filter_packet_tables)

BOOST_AUTO_TEST_CASE(another_versions_tables_are_not_looked_at_though_they_are_as_large) {
    const agent_test::TemporaryDirectory directory;
    const std::string file = directory.path + "/state";
    for (const __u32 layout : {NLB_LAYOUT - 1u, NLB_LAYOUT + 0u}) {
        const __u32 head[] = {layout, sizeof(nlb_state)};
        std::ofstream(file).write(reinterpret_cast<const char *>(head), sizeof head);
        std::filesystem::resize_file(file, sizeof(filter::pcap::PacketMemory));
        if (layout == NLB_LAYOUT)
            BOOST_CHECK_NO_THROW(filter::pcap::FoundPacketTables(directory.path));
        else
            BOOST_CHECK_THROW(filter::pcap::FoundPacketTables(directory.path), std::runtime_error);
    }
}

BOOST_AUTO_TEST_SUITE_END()
