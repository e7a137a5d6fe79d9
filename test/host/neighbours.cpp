// SPDX-License-Identifier: Apache-2.0
// Real questions from a Linux kernel as the client, real answers, and a witness on the client's end
// of the wire.
#include "agent/frames/neighbours.hpp"
#include "agent/frames/witness.hpp"
#include "test/host/node.hpp"
#include "test/unit/frames/neighbour_frames.hpp"

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <cerrno>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <random>
#include <sstream>
#include <sys/socket.h>
#include <unistd.h>

using agent::Neighbours;

namespace {

// A packet socket on the client's interface.
class Wire {
  public:
    explicit Wire(const Node &node) {
        node.in_client([&] {
            socket_ = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
            sockaddr_ll address{};
            address.sll_family = AF_PACKET;
            address.sll_protocol = htons(ETH_P_ALL);
            address.sll_ifindex = static_cast<int>(if_nametoindex("client0"));
            BOOST_REQUIRE(bind(socket_, reinterpret_cast<sockaddr *>(&address), sizeof address) ==
                          0);
        });
    }
    ~Wire() { close(socket_); }
    Wire(const Wire &) = delete;
    Wire &operator=(const Wire &) = delete;

    void send(const Frame &frame) const {
        while (::send(socket_, frame.data(), frame.size(), 0) < 0 && errno == ENOBUFS)
            usleep(1000);
    }
    // What came from the node since the last call; without VLAN tags, which the kernel takes out.
    std::vector<Frame> received() const {
        std::vector<Frame> frames;
        Frame buffer(2048);
        sockaddr_ll from{};
        socklen_t size = sizeof from;
        for (ssize_t length = 0;
             (length = recvfrom(socket_, buffer.data(), buffer.size(), 0,
                                reinterpret_cast<sockaddr *>(&from), &size)) >= 0;
             size = sizeof from)
            if (from.sll_pkttype != PACKET_OUTGOING)
                frames.emplace_back(buffer.begin(), buffer.begin() + length);
        return frames;
    }

  private:
    int socket_ = -1;
};

bool from_cluster_mac(const Frame &frame) {
    return std::equal(kClusterMac.begin() + 1, kClusterMac.end(), frame.begin() + 7) &&
           (frame[6] & 0xfe) == (kClusterMac[0] & 0xfe);
}

bool is_answer(const Frame &frame) {
    const bool arp = frame[12] == 8 && frame[13] == 6;
    return arp ? frame[21] == 2 : frame[12] == 0x86 && frame[20] == 58 && frame[54] == 136;
}

bool has(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

struct Served : Node {
    agent::HostSetup setup{wish(), file("host")};
    Neighbours neighbours{"eth0", wish().virtual_ips, kClusterMac};
    Wire wire{*this};

    Served() {
        neighbours.set_answering(~0u);
        neighbours.handle({}); // announces
        wire.received();
    }

    // Runs the agent's part of the loop until the condition holds.
    bool serve_until(const std::function<bool()> &condition) {
        return eventually([&] {
            pollfd waiting{neighbours.descriptor(), POLLIN, 0};
            if (poll(&waiting, 1, 0) > 0) neighbours.handle({});
            return condition();
        });
    }
    // The client's kernel asks for the address, as it would for a packet; its entry about it in the
    // end.
    std::string resolve(const std::string &address) {
        on_client("ip neighbour replace " + address + " dev client0 nud none");
        on_client("ip neighbour change " + address + " dev client0 use");
        return entry_in_state(address, "REACHABLE|STALE|DELAY|PROBE|FAILED");
    }
    std::string entry_in_state(const std::string &address, const std::string &states) {
        std::string entry;
        serve_until([&] {
            entry = on_client("ip neighbour show " + address + " | grep -E '" + states + "'");
            return !entry.empty();
        });
        return entry;
    }
    // The node's answers to one frame, when there is exactly that many.
    Frame answer_to(const Frame &question) {
        wire.received();
        wire.send(question);
        Frame answer;
        const auto count = neighbours.counters().answered + 1;
        BOOST_TEST(serve_until([&] { return neighbours.counters().answered == count; }));
        BOOST_TEST(serve_until([&] {
            for (const auto &frame : wire.received())
                if (is_answer(frame)) answer = frame;
            return !answer.empty();
        }));
        return answer;
    }
};

const std::vector<std::string> kAddresses{"192.0.2.100", "fd00::64"};

} // namespace

BOOST_FIXTURE_TEST_SUITE(neighbours, Served)

BOOST_AUTO_TEST_CASE(linux_client_learns_the_cluster_mac_and_keeps_it) {
    for (const auto &address : kAddresses) {
        const auto entry = resolve(address);
        BOOST_TEST(has(entry, "lladdr " + kClusterMacText), entry);
        // The kernel now confirms it by a question to the cluster MAC alone.
        const auto count = neighbours.counters().answered;
        on_client("ip neighbour change " + address + " dev client0 nud probe");
        BOOST_TEST(has(entry_in_state(address, "REACHABLE|FAILED"),
                       "lladdr " + kClusterMacText + " REACHABLE"));
        BOOST_TEST(neighbours.counters().answered > count);
    }
    const auto frames = wire.received();
    BOOST_TEST(frames.size() >= 4U);
    for (const auto &frame : frames)
        BOOST_TEST(!from_cluster_mac(frame));
    BOOST_TEST(neighbours.counters().send_errors == 0U);
    BOOST_TEST(neighbours.counters().malformed == 0U);
}

BOOST_AUTO_TEST_CASE(node_that_should_not_answer_is_silent_and_so_is_its_kernel) {
    neighbours.set_answering(0);
    on_client("ip ntable change name arp_cache dev client0 mcast_probes 3;"
              "ip ntable change name ndisc_cache dev client0 mcast_probes 3");
    for (const auto &address : kAddresses)
        BOOST_TEST(has(resolve(address), "FAILED"));
    BOOST_TEST(neighbours.counters().ignored >= 2U);
    BOOST_TEST(neighbours.counters().answered == 0U);
    for (const auto &frame : wire.received())
        BOOST_TEST(!is_answer(frame));
    // The client does get answers about what is the node's own.
    BOOST_TEST(has(resolve("192.0.2.11"), "lladdr 0a:00:00:00:00:99"));
    BOOST_TEST(has(resolve("fd00::11"), "lladdr 0a:00:00:00:00:99"));
}

BOOST_AUTO_TEST_CASE(without_the_setup_the_kernel_would_answer_with_its_own_mac) {
    neighbours.set_answering(0);
    run("echo 0 > /proc/sys/net/ipv4/conf/all/arp_ignore");
    BOOST_TEST(has(resolve("192.0.2.100"), "lladdr 0a:00:00:00:00:99"));
}

BOOST_AUTO_TEST_CASE(nodes_own_questions_do_not_name_a_virtual_ip) {
    run("ip address flush dev eth0 scope global; ip route add 192.0.2.0/24 dev eth0");
    BOOST_TEST(setup.heal().empty());
    wire.received();
    run("ip neighbour replace 192.0.2.1 dev eth0 nud none; ip neighbour change 192.0.2.1 dev eth0 "
        "use");
    Frame question;
    BOOST_TEST(eventually([&] {
        for (const auto &frame : wire.received())
            if (frame[12] == 8 && frame[13] == 6) question = frame;
        return !question.empty();
    }));
    const Frame sender(question.begin() + 28, question.begin() + 32);
    BOOST_TEST(sender != bytes("c0000264"));
}

BOOST_AUTO_TEST_CASE(another_host_that_wants_a_virtual_ip_for_itself_finds_it_taken) {
    on_client("echo 100 > /proc/sys/net/ipv6/conf/client0/dad_transmits;"
              "ip address add fd00::64/64 dev client0");
    BOOST_TEST(
        serve_until([&] { return has(on_client("ip address show dev client0"), "dadfailed"); }));
    auto probe = kArpRequest;
    std::fill(probe.begin() + 28, probe.begin() + 32, std::uint8_t{0});
    const auto answer = answer_to(probe);
    BOOST_TEST(Frame(answer.begin() + 20, answer.begin() + 32) ==
                   bytes("0002 03bfc0000264 c0000264"),
               boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(virtual_ips_are_announced_and_what_others_claim_is_contradicted) {
    using namespace std::chrono_literals;
    const auto announced = neighbours.counters().announced;
    BOOST_TEST(announced == wish().virtual_ips.size());
    auto claim = kArpRequest; // from another address of the client's, as it were
    std::copy_n(claim.begin() + 38, 4, claim.begin() + 28);
    wire.send(claim);
    BOOST_TEST(serve_until([&] { return neighbours.counters().claimed == 1; }));
    BOOST_TEST(neighbours.claims(1s).size() == 1U);
    BOOST_TEST(neighbours.claims(11s).empty());
    neighbours.handle(1s);
    BOOST_TEST(neighbours.counters().announced == 2 * announced);
    const auto frames = wire.received();
    const auto broadcast = std::ranges::find_if(frames, [](const Frame &frame) {
        return frame[0] == 0xff && frame[21] == 1 && frame[22] == kClusterMac[0];
    });
    BOOST_TEST_REQUIRE((broadcast != frames.end()));
    BOOST_TEST(!from_cluster_mac(*broadcast));
}

BOOST_AUTO_TEST_CASE(tagged_questions_are_answered) {
    for (const auto &question : {kArpRequest, kSolicitation}) {
        const auto plain = answer_to(question);
        BOOST_TEST(answer_to(tagged(question, 5)) == plain, boost::test_tools::per_element());
    }
}

BOOST_AUTO_TEST_CASE(questions_about_other_addresses_are_not_even_captured) {
    wire.send(with(kArpRequest, 41, 0x65));
    wire.send(with_checksum(with(kSolicitation, 77, 0x65)));
    wire.send(with(kArpRequest, 21, 2));
    answer_to(kArpRequest);
    BOOST_TEST(neighbours.counters().answered == 1U);
    BOOST_TEST(neighbours.counters().malformed == 0U);
}

BOOST_AUTO_TEST_CASE(malformed_questions_are_counted_and_garbage_changes_nothing) {
    wire.send(with(kSolicitation, 57, static_cast<std::uint8_t>(kSolicitation[57] ^ 1)));
    wire.send(with(kArpRequest, 22, 0xff));
    BOOST_TEST(serve_until([&] { return neighbours.counters().malformed == 2; }));
    std::mt19937 random(1);
    for (int i = 0; i < 20000; ++i) {
        auto frame = i % 2 == 0 ? kArpRequest : kSolicitation;
        frame[14 + random() % (frame.size() - 14)] = static_cast<std::uint8_t>(random());
        frame.resize(14 + random() % (frame.size() - 13));
        wire.send(frame);
        neighbours.handle({});
    }
    BOOST_TEST(has(resolve("192.0.2.100"), "lladdr " + kClusterMacText));
    BOOST_TEST(has(resolve("fd00::64"), "lladdr " + kClusterMacText));
}

BOOST_AUTO_TEST_CASE(link_that_goes_down_and_comes_back_is_served_again) {
    for (int flap = 0; flap < 3; ++flap) {
        run("ip link set eth0 down");
        neighbours.handle({});
        neighbours.heal();
        run("ip link set eth0 up");
        neighbours.heal();
        for (const auto &address : kAddresses)
            BOOST_TEST(has(resolve(address), "lladdr " + kClusterMacText));
    }
}

BOOST_AUTO_TEST_CASE(interface_made_anew_is_served_again) {
    run("ip link delete eth0");
    BOOST_TEST(serve_until([&] { return neighbours.descriptor() == -1; }));
    BOOST_TEST(!neighbours.heal());
    connect_client();
    setup.heal();
    BOOST_TEST(neighbours.heal());
    BOOST_TEST(!neighbours.heal());
    for (const auto &address : kAddresses)
        BOOST_TEST(has(resolve(address), "lladdr " + kClusterMacText));
}

BOOST_AUTO_TEST_CASE(interface_replaced_by_another_of_its_name_is_noticed) {
    run("ip link set eth0 down; ip link set eth0 name old0; ip link add eth0 up type veth peer "
        "name other0");
    BOOST_TEST(neighbours.heal());
    BOOST_TEST(has(run("ip maddress show dev eth0"), "ff02::1:ff00:64"));
}

BOOST_AUTO_TEST_CASE(interface_that_is_down_at_the_start_is_opened_later) {
    run("ip link set eth0 down");
    Neighbours later("eth0", wish().virtual_ips, kClusterMac);
    BOOST_TEST(later.descriptor() == -1);
    later.handle({});
    run("ip link set eth0 up");
    BOOST_TEST(later.heal());
    BOOST_TEST(later.descriptor() >= 0);
}

BOOST_AUTO_TEST_CASE(a_line_that_only_sends_is_opened_anew_when_the_link_was_down) {
    agent::Line line("eth0");
    BOOST_TEST(line.heal());
    BOOST_TEST(!line.heal());
    run("ip link set eth0 down; ip link set eth0 up");
    BOOST_TEST(line.heal());
    BOOST_TEST(!line.heal());
}

// By ARP alone, and by an ICMPv6 socket; what it hears is judged as a frame is.
BOOST_AUTO_TEST_CASE(a_witness_of_either_family_answers_and_others_are_not_heard) {
    using namespace std::chrono_literals;
    for (const std::string at : {"fd00::1", "192.0.2.1"}) { // a link that goes down loses its IPv6 addresses
        const auto address = filter::parse_ip(at).value();
        agent::Witness witness("eth0", address, wish().virtual_ips, 50ms), other("eth0", filter::parse_ip(at + "9").value(), {}, 50ms);
        witness.set_own({{filter::parse_ip(address.is_v4() ? "192.0.2.11" : "fd00::11").value(), address.is_v4() ? 24u : 64u}});
        heartbeat::Time now = 1s;
        BOOST_TEST(eventually([&] {
            witness.ask(now += 50ms);
            usleep(1000);
            return witness.answered().has_value();
        }));
        BOOST_TEST(!other.answered());
        BOOST_TEST(other.counters().malformed == 0u);
        run("ip link set eth0 down; ip link set eth0 up");
        BOOST_TEST(witness.heal());
    }
}

BOOST_AUTO_TEST_CASE(an_advertisement_that_has_passed_a_router_is_not_an_answer) {
    agent::Witness witness("eth0", filter::parse_ip("fd00::1").value(), {}, std::chrono::milliseconds(50));
    wire.send(with(kAdvertisement, 21, 254));
    BOOST_TEST(eventually([&] { return !witness.answered() && witness.counters().malformed == 1; }));
    wire.send(kAdvertisement);
    BOOST_TEST(eventually([&] { return !witness.answered() && witness.counters().answered == 1; })); // and none was asked for
}

BOOST_AUTO_TEST_CASE(nothing_piles_up_on_the_sending_socket) {
    answer_to(kArpRequest);
    for (int i = 0; i < 1000; ++i)
        wire.send(with(kArpRequest, 41, 0x65));
    const auto sockets = run("cat /proc/net/packet");
    std::istringstream lines(sockets);
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
        std::istringstream fields(line);
        std::string pointer, references, type, protocol, interface, running, memory;
        fields >> pointer >> references >> type >> protocol >> interface >> running >> memory;
        BOOST_TEST(memory == "0", sockets);
    }
}

BOOST_AUTO_TEST_SUITE_END()
