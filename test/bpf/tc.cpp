// SPDX-License-Identifier: Apache-2.0
// What is the tc datapath's own: frames on a real interface, as the stack hands them to it.
#include "host.hpp"
#include "packets.hpp"
#include "server.hpp"

#include "filter/bpf/capture.hpp"
#include "filter/bpf/datapath.hpp"
#include "filter/tc/tc.hpp"
#include "filter/xdp/xdp.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <filesystem>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace packets;

namespace {

bool nothing_left() {
    return attached_tc_program() == 0 && attached_xdp_program() == 0 &&
           std::system("test -z \"$(tc qdisc show dev near clsact)\"") == 0 &&
           !std::filesystem::exists(Host::pin_dir("node"));
}

// As in linux/virtio_net.h, which C++ does not read.
struct VirtioHeader {
    std::uint8_t flags = 0, gso_type = 0;
    std::uint16_t hdr_len = 0, gso_size = 0, csum_start = 0, csum_offset = 0;
};
constexpr std::uint8_t kNeedsChecksum = 1, kTcpV4 = 1;

// A packet socket whose frames come with a virtio header: they can be larger than any frame, and
// what does not fit the first few bytes lies outside the linear part.
class LargeWire {
  public:
    LargeWire() : socket_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
        const int yes = 1;
        sockaddr_ll far{};
        far.sll_family = AF_PACKET;
        far.sll_protocol = htons(0x0800);
        far.sll_ifindex = static_cast<int>(if_nametoindex("far"));
        BOOST_REQUIRE(bind(socket_, reinterpret_cast<sockaddr *>(&far), sizeof far) == 0);
        BOOST_REQUIRE(setsockopt(socket_, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) == 0);
    }
    LargeWire(const LargeWire &) = delete;
    ~LargeWire() { close(socket_); }

    // linear: as much of it lies in one piece. segment: of TCP, the frame is several joined.
    void send(const Frame &frame, std::uint16_t linear, std::uint16_t segment = 0) const {
        VirtioHeader header;
        header.hdr_len = linear;
        if (segment > 0) {
            header.flags = kNeedsChecksum;
            header.gso_type = kTcpV4;
            header.gso_size = segment;
            header.csum_start = 34;
            header.csum_offset = 16;
        }
        Frame whole(reinterpret_cast<std::uint8_t *>(&header),
                    reinterpret_cast<std::uint8_t *>(&header + 1));
        whole.insert(whole.end(), frame.begin(), frame.end());
        BOOST_REQUIRE(::send(socket_, whole.data(), whole.size(), 0) ==
                      static_cast<ssize_t>(whole.size()));
    }

  private:
    int socket_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(tc)

BOOST_AUTO_TEST_CASE(accepted_frames_reach_the_server_and_others_do_not) {
    auto datapath = attach_tc();
    Wire far;
    Server server;
    for (bool v4 : {true, false}) {
        datapath->install(nothing_mine());
        far.send(query(v4));
        wait_for([&] { return counter(*datapath, "foreign") == (v4 ? 1u : 2u); });
        datapath->install(all_mine());
        far.send(query(v4));
        wait_for([&] { return server.received(); });
        BOOST_TEST(!server.received()); // the foreign one is not among them
    }
}

BOOST_AUTO_TEST_CASE(a_syn_to_the_cluster_mac_is_answered) {
    for (const filter::MacAddress &mac : {kClusterMac, filter::MacAddress{2, 0xbf, 192, 0, 2, 100}}) {
        auto datapath = attach_tc();
        Wire far;
        datapath->install(all_mine());
        for (bool v4 : {true, false}) {
            Segment syn = tcp({.source = static_cast<std::uint16_t>(31000 + mac[0])});
            far.send(ethernet(v4 ? ipv4({}, syn) : ipv6({}, syn), {.destination = mac}));
            far.receive([&](const Frame &frame) { // a reset: no socket listens
                std::size_t at = v4 ? 34 : 54;
                return frame.size() >= at + 20 && frame[v4 ? 23 : 20] == 6 && (frame[at + 13] & kRst);
            });
        }
    }
}

// Nothing else says that a frame to a MAC of the cluster is for this host.
BOOST_AUTO_TEST_CASE(a_node_whose_filter_was_removed_by_hand_is_silent_until_it_is_put_back) {
    write_file("/proc/sys/net/ipv4/conf/near/drop_unicast_in_l2_multicast", "1");
    write_file("/proc/sys/net/ipv6/conf/near/drop_unicast_in_l2_multicast", "1");
    const filter::MacAddress multicast = kClusterMac, unicast{2, 0xbf, 192, 0, 2, 100};
    auto datapath = attach_tc();
    datapath->install(all_mine());
    BOOST_TEST(!datapath->flaw());
    shell("tc filter del dev near ingress");
    BOOST_TEST(datapath->flaw().value_or("") == "the tc filter nlbd_ingress is not attached to near");
    BOOST_TEST((datapath->mode() == filter::Mode::none));
    Wire far;
    Server server;
    for (bool v4 : {true, false})
        for (const filter::MacAddress &mac : {multicast, unicast})
            far.send(query(v4, {.destination = mac}));
    far.send(query(true, {.destination = *filter::parse_mac(mac_of("near"))})); // not from a client
    wait_for([&] { return server.received(); });
    BOOST_TEST(!server.received());
    BOOST_TEST(datapath->heal() == std::vector<std::string>{"tc filter nlbd_ingress on near"},
               boost::test_tools::per_element());
    BOOST_TEST(!datapath->flaw());
    far.send(query(true));
    wait_for([&] { return server.received(); });
}

BOOST_AUTO_TEST_CASE(the_kernel_is_not_asked_who_has_a_virtual_ip) {
    auto datapath = attach_tc();
    auto dropped = [&](const Bytes &frame) { return drops(*datapath, run_judging(*datapath, frame)); };
    const Bytes asked4 = zeros(24) + Bytes{192, 0, 2, 100},
                asked6 = zeros(4) + Bytes{0xfd, 0} + zeros(12) + Bytes{1, 0};
    BOOST_TEST(!dropped(ethernet(zeros(46), {.type = 0x0806})));
    BOOST_TEST(dropped(ethernet(asked4, {.type = 0x0806})));
    BOOST_TEST(dropped(ethernet(ipv6({.destination = "ff02::1:ff00:100"}, icmpv6(135, asked6)))));
    BOOST_TEST(dropped(ethernet(ipv6({}, icmpv6(135, asked6)))));
    BOOST_TEST(!dropped(ethernet(ipv6({}, icmpv6(135, zeros(20))))));
    BOOST_TEST(!dropped(ethernet(ipv6({}, icmpv6(136, asked6)))));
}

// The stack takes the outer tag off before tc; it counts all the same.
BOOST_AUTO_TEST_CASE(tags_that_were_taken_off_count) {
    auto datapath = attach_tc();
    datapath->install(all_mine());
    Wire far;
    for (const std::vector<std::uint16_t> &tags :
         std::vector<std::vector<std::uint16_t>>{{0x8100}, {0x88a8, 0x8100}})
        far.send(query(true, {.tags = tags}));
    wait_for([&] { return counter(*datapath, "accepted") == 2; });
    far.send(query(true, {.tags = {0x8100, 0x8100, 0x8100}}));
    wait_for([&] { return counter(*datapath, "too_many_tags") == 1; });
    BOOST_TEST(counter(*datapath, "accepted") == 2u);
}

BOOST_AUTO_TEST_CASE(a_capture_shows_the_tag_that_was_taken_off) {
    auto datapath = attach_tc();
    datapath->install(all_mine());
    const auto capture = filter::bpf::capture(Host::pin_dir("node"));
    datapath->show(filter::Shown::everything);
    Wire far;
    for (const std::vector<std::uint16_t> &tags :
         std::vector<std::vector<std::uint16_t>>{{}, {0x8100}, {0x88a8, 0x8100}}) {
        const Bytes frame = query(true, {.tags = tags});
        Bytes seen;
        far.send(frame);
        wait_for([&] {
            capture->read([&](const filter::CapturedFrame &one) {
                seen.assign(one.bytes.begin(), one.bytes.end());
                BOOST_TEST(one.length == frame.size());
            });
            return !seen.empty();
        });
        BOOST_TEST((seen == frame));
    }
}

// The answer goes where the frame came from.
BOOST_AUTO_TEST_CASE(what_is_refused_keeps_the_tag_that_was_taken_off) {
    auto datapath = attach_tc();
    filter::Tables tables = nothing_mine(false);
    for (filter::Table &table : tables)
        table.refuses = true;
    datapath->install(tables);
    Wire far;
    for (const Bytes &payload : {Bytes{}, zeros(1000)}) {
        const Bytes frame = ethernet(ipv4({}, tcp({.payload = payload})), {.tags = {0x8100}});
        std::vector<Frame> refused;
        far.send(frame);
        wait_for([&] {
            refused = datapath->take_refused(1);
            return !refused.empty();
        });
        BOOST_TEST((refused[0] == cut(frame, std::min(frame.size(), filter::kMostRefused))));
    }
}

boost::test_tools::assertion_result makes_vlan_devices(boost::unit_test::test_unit_id) {
    return std::system("ip link add link near name near.5 type vlan id 5 2>/dev/null && ip link del near.5") == 0;
}

BOOST_AUTO_TEST_CASE(a_vlan_device_above_the_interface_gets_what_was_accepted,
                     *boost::unit_test::precondition(makes_vlan_devices)) {
    shell("ip link add link near name near.5 type vlan id 5 && ip link set near.5 up");
    auto datapath = attach_tc();
    datapath->install(all_mine());
    Wire far;
    {
        Server server("near.5");
        Bytes frame = query(true, {.tags = {0x8100}});
        frame[14] = 0;
        frame[15] = 5;
        far.send(frame);
        wait_for([&] { return server.received(); });
    }
    shell("ip link del near.5");
}

// A frame whose headers lie outside the linear part, as some drivers hand them up.
BOOST_AUTO_TEST_CASE(headers_outside_the_linear_part_are_read) {
    auto datapath = attach_tc();
    datapath->install(all_mine());
    LargeWire far;
    Server server;
    for (unsigned linear : {14u, 20u, 34u, 38u}) {
        far.send(ethernet(ipv4({}, udp({.payload = zeros(1400)}))), static_cast<std::uint16_t>(linear));
        wait_for([&] { return server.received(); });
    }
    BOOST_TEST(counter(*datapath, "accepted") == 4u);
    BOOST_TEST(counter(*datapath, "too_short") == 0u);
}

// What GRO has joined is one packet of up to 64 KiB.
BOOST_AUTO_TEST_CASE(joined_segments_are_one_packet) {
    auto datapath = attach_tc();
    datapath->install(all_mine());
    LargeWire far;
    Wire wire;
    far.send(ethernet(ipv4({}, tcp({.source = 31500, .flags = kAck, .payload = zeros(60000)}))), 54, 1448);
    wire.receive([](const Frame &frame) { // a reset: there is no such connection
        return frame.size() >= 54 && frame[23] == 6 && (frame[47] & kRst);
    });
    BOOST_TEST(counter(*datapath, "accepted") == 1u);
}

BOOST_AUTO_TEST_CASE(detaching_leaves_nothing) {
    attach_tc().reset();
    BOOST_TEST(nothing_left());
    shell("tc qdisc add dev near clsact");
    attach_tc().reset();
    BOOST_TEST(attached_tc_program() == 0u);
    shell("tc qdisc show dev near clsact | grep -q clsact && tc qdisc del dev near clsact");
}

BOOST_AUTO_TEST_CASE(what_a_killed_process_left_is_taken_over_whichever_datapath_it_had) {
    const auto xdp = [] { return attach_xdp(filter::XdpMode::generic); };
    attach_and_die(xdp);
    auto datapath = attach_tc();
    BOOST_TEST(attached_xdp_program() == 0u);
    BOOST_TEST((datapath->mode() == filter::Mode::clsact));
    BOOST_TEST(!std::filesystem::exists(Host::pin_dir("node") + "/link"));
    datapath.reset();
    BOOST_TEST(nothing_left());
    attach_and_die(attach_tc);
    datapath = xdp();
    BOOST_TEST(attached_tc_program() == 0u);
    BOOST_TEST((datapath->mode() == filter::Mode::generic));
    datapath.reset();
    BOOST_TEST(nothing_left());
    attach_and_die(attach_tc);
    filter::bpf::remove("near", Host::pin_dir("node"));
    BOOST_TEST(nothing_left());
}

BOOST_AUTO_TEST_CASE(another_nlbd_on_the_interface_is_named_and_left_alone) {
    const auto occupied = [](const filter::Occupied &error) {
        return std::string(error.what()).find("another nlbd runs on this interface") != std::string::npos;
    };
    const std::string second = Host::pin_dir("second");
    const auto tc = [&] { filter::tc::attach("near", second, settings()); };
    const auto xdp = [&] { filter::xdp::attach("near", filter::XdpMode::generic, second, settings()); };
    auto first = attach_tc();
    BOOST_CHECK_EXCEPTION(tc(), filter::Occupied, occupied);
    BOOST_CHECK_EXCEPTION(xdp(), filter::Occupied, occupied);
    BOOST_TEST(!first->flaw());
    first.reset();
    first = attach_xdp(filter::XdpMode::generic);
    BOOST_CHECK_EXCEPTION(tc(), filter::Occupied, occupied);
    BOOST_TEST(!first->flaw());
    BOOST_TEST(!std::filesystem::exists(second));
}

BOOST_AUTO_TEST_SUITE_END()
