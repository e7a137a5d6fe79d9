// SPDX-License-Identifier: Apache-2.0
//
// Buckets that change hands: who has the connection? Real sockets of this host, in every state that
// they can be in while a bucket moves, over IPv4 and IPv6, with each datapath.
//
// The client is this test: it sends frames over the wire and reads what the host answers.
// Everything is the node's while a connection is brought into a state; then the groups are marked
// and packets judged.
#include "host.hpp"
#include "packets.hpp"

#include "filter/bucket.hpp"

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstring>
#include <ctime>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace packets;

namespace {

struct Socket {
    int fd = -1;
    explicit Socket(int descriptor) : fd(descriptor) { BOOST_REQUIRE(fd >= 0); }
    Socket(const Socket &) = delete;
    ~Socket() { close(fd); }
};

int listen_on(bool v4, std::uint16_t port) {
    int fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in four{};
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    inet_pton(AF_INET, "192.0.2.100", &four.sin_addr);
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    inet_pton(AF_INET6, "fd00::100", &six.sin6_addr);
    auto *address = v4 ? reinterpret_cast<sockaddr *>(&four) : reinterpret_cast<sockaddr *>(&six);
    BOOST_REQUIRE(bind(fd, address, v4 ? sizeof four : sizeof six) == 0);
    BOOST_REQUIRE(listen(fd, 16) == 0);
    return fd;
}

// One client's connection to port 80, as its own packets.
struct Client {
    bool v4;
    std::uint16_t port;
    std::uint32_t isn = 5000, server_isn = 0;

    Bytes packet(std::uint8_t flags, std::uint32_t sequence, std::uint32_t acknowledged,
                 Bytes payload = {}) const {
        Segment segment = tcp({.source = port,
                               .flags = flags,
                               .sequence = sequence,
                               .acknowledged = acknowledged,
                               .payload = std::move(payload)});
        return ethernet(v4 ? ipv4({}, segment) : ipv6({}, segment));
    }
    Bytes syn() const { return packet(kSyn, isn, 0); }
    Bytes ack(std::uint32_t beyond = 1) const { return packet(kAck, isn + 1, server_isn + beyond); }
    Bytes fin(std::uint32_t acknowledged) const {
        return packet(kFin | kAck, isn + 1, acknowledged);
    }
    Bytes rst() const { return packet(kRst, isn + 1, 0); }
};

struct Answer {
    std::uint16_t port;
    std::uint8_t flags;
    std::uint32_t sequence;
};

Answer parse(const Frame &frame, bool v4) {
    std::size_t at = v4 ? 34 : 54;
    bool is_tcp =
        frame.size() >= at + 20 && frame[12] == (v4 ? 0x08 : 0x86) && frame[v4 ? 23 : 20] == 6;
    if (!is_tcp) return {};
    auto big = [&](std::size_t i) { return std::uint32_t{frame[at + i]} << 8 | frame[at + i + 1]; };
    return {static_cast<std::uint16_t>(big(2)), frame[at + 13], big(4) << 16 | big(6)};
}

using Attach = std::unique_ptr<filter::Datapath> (*)();
constexpr Attach kDatapaths[] = {[] { return attach(); }, [] { return attach_pcap(); }};

struct Node {
    std::unique_ptr<filter::Datapath> datapath;
    Wire wire;
    Socket listener;
    bool v4;

    explicit Node(bool use_v4, Attach attach_it = kDatapaths[0])
        : datapath(attach_it()), listener(listen_on(use_v4, 80)), v4(use_v4) {
        cookies("1");
        datapath->install(all_mine());
    }

    void stop_listening() const { shutdown(listener.fd, SHUT_RD); }

    static void cookies(const std::string &value) {
        write_file("/proc/sys/net/ipv4/tcp_syncookies", value);
    }

    Answer answer_to(const Client &client, std::uint8_t flags) const {
        Frame frame = wire.receive([&](const Frame &one) {
            Answer answer = parse(one, v4);
            return answer.port == client.port && answer.flags == flags;
        });
        return parse(frame, v4);
    }

    void send_syn(Client &client) const {
        wire.send(client.syn());
        client.server_isn = answer_to(client, kSyn | kAck).sequence;
        wait_until_it_has_seen_the_answer(client);
    }

    // pcap's thread captures what this test captures too, and on a busy machine later. A packet from the network would come
    // after both.
    void wait_until_it_has_seen_the_answer(const Client &client) const {
        using namespace std::chrono_literals;
        if (datapath->kind() != "pcap") return;
        guard();
        for (int i = 0; i < 2000 && judge(client.ack()) != "accepted_guarded"; ++i)
            std::this_thread::sleep_for(5ms);
        datapath->set_guarded({});
    }

    int accept_ack(const Client &client) const {
        wire.send(client.ack());
        return accept4(listener.fd, nullptr, nullptr, SOCK_CLOEXEC);
    }

    std::string judge(const Bytes &frame) const {
        return std::string(datapath->judge(frame).reason);
    }

    void guard() const {
        datapath->install(all_mine());
        datapath->set_guarded(all_groups());
        datapath->set_lingering({});
    }
    void linger() const {
        datapath->install(nothing_mine());
        datapath->set_guarded({});
        datapath->set_lingering(all_groups());
    }

    // A packet that belongs to a socket here, and one that does not, in every way a bucket can be
    // held.
    void check(const Bytes &frame, bool belongs) const {
        guard();
        BOOST_TEST(judge(frame) == (belongs ? "accepted_guarded" : "guarded"));
        linger();
        BOOST_TEST(judge(frame) == (belongs ? "accepted_lingering" : "lingering_no_socket"));
        datapath->install(nothing_mine(false)); // lingering outlives the last owner
        BOOST_TEST(judge(frame) == (belongs ? "accepted_lingering" : "lingering_no_socket"));
        datapath->install(all_mine());
        datapath->set_lease(1);
        BOOST_TEST(judge(frame) == (belongs ? "accepted_lingering" : "lease_expired"));
        datapath->set_lease(kForever);
        datapath->set_lingering({});
        BOOST_TEST(judge(frame) == "accepted");
        datapath->install(nothing_mine());
        BOOST_TEST(judge(frame) == "foreign");
    }

    void check_syn(const Bytes &frame) const {
        guard();
        BOOST_TEST(judge(frame) == "accepted");
        linger();
        BOOST_TEST(judge(frame) == "lingering_syn");
        datapath->install(all_mine());
        datapath->set_lease(1);
        BOOST_TEST(judge(frame) == "lease_expired");
        datapath->set_lease(kForever);
        datapath->set_lingering({});
    }
};

std::uint16_t next_port() {
    static std::uint16_t port = 20000;
    return ++port;
}

std::uint64_t boot_ns() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000000000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

bool readable(int descriptor) {
    pollfd waiting{descriptor, POLLIN, 0};
    return poll(&waiting, 1, 0) > 0;
}

template <typename Test>
void for_both_families(Test test) { // over each datapath
    for (const Attach attach_it : kDatapaths)
        for (bool v4 : {true, false})
            BOOST_TEST_CONTEXT((v4 ? "IPv4" : "IPv6")
                               << (attach_it == kDatapaths[0] ? ", XDP" : ", pcap")) {
                test(v4, attach_it);
            }
}

} // namespace

BOOST_AUTO_TEST_SUITE(sockets)

BOOST_AUTO_TEST_CASE(a_listener_alone_is_no_connection) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        Client client{v4, next_port()};
        node.check(client.ack(), false);
        node.check(client.rst(), false);
        node.check_syn(client.syn());
    });
}

BOOST_AUTO_TEST_CASE(a_half_open_connection_belongs_to_who_sent_what_is_acknowledged) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        Client client{v4, next_port()};
        node.send_syn(client);
        node.check(client.ack(), true);
        node.check(client.ack(0), false);
        node.check(client.ack(2), false);
        node.check(client.rst(), false);
        node.check_syn(client.syn());
    });
}

BOOST_AUTO_TEST_CASE(an_established_connection_stays_where_it_is) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        Client client{v4, next_port()};
        node.send_syn(client);
        Socket connection(node.accept_ack(client));
        node.check(client.ack(), true);
        node.check(client.ack(777), true);
        node.check(client.rst(), true);
        node.check(client.fin(client.server_isn + 1), true);
        node.check_syn(client.syn());
        Client another{v4, next_port()};
        node.check(another.ack(), false);
    });
}

BOOST_AUTO_TEST_CASE(a_half_closed_connection_stays_where_it_is) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        Client client{v4, next_port()};
        node.send_syn(client);
        Socket connection(node.accept_ack(client));
        shutdown(connection.fd, SHUT_WR);
        node.answer_to(client, kFin | kAck);
        node.check(client.ack(2), true);
        node.check_syn(client.syn());
    });
}

BOOST_AUTO_TEST_CASE(a_closed_connection_answers_its_last_packets_but_no_syn) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        Client client{v4, next_port()};
        node.send_syn(client);
        Socket connection(node.accept_ack(client));
        shutdown(connection.fd, SHUT_WR);
        node.answer_to(client, kFin | kAck);
        node.wire.send(client.fin(client.server_isn + 2));
        node.answer_to(client, kAck); // of our FIN: the socket is in time-wait now
        node.check(client.fin(client.server_isn + 2), true);
        node.check_syn(client.syn());
    });
}

BOOST_AUTO_TEST_CASE(with_syn_cookies_the_cookie_is_the_connection) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        Node::cookies("2");
        Client client{v4, next_port()};
        node.send_syn(client);
        node.check(client.ack(), true);
        node.check(client.ack(0), false);
        node.check(client.ack(5), false);
        Client another{v4, next_port()};
        another.server_isn = client.server_isn;
        node.check(another.ack(), false);
        node.check(client.rst(), false);
        node.check_syn(client.syn());
        Node::cookies("1");
    });
}

BOOST_AUTO_TEST_CASE(guard_and_lingering_hold_for_their_group_alone) {
    Node node(true);
    Client client{true, next_port()};
    unsigned bucket = unsigned(node.datapath->judge(client.ack()).bucket);
    unsigned next_group = (bucket + filter::kBucketsPerGroup) % filter::kBuckets;
    node.datapath->set_guarded(one_group(bucket));
    BOOST_TEST(node.judge(client.ack()) == "guarded");
    node.datapath->set_guarded(one_group(next_group));
    BOOST_TEST(node.judge(client.ack()) == "accepted");
    node.datapath->install(nothing_mine());
    node.datapath->set_lingering(one_group(bucket));
    BOOST_TEST(node.judge(client.ack()) == "lingering_no_socket");
    node.datapath->set_lingering(one_group(next_group));
    BOOST_TEST(node.judge(client.ack()) == "foreign");
}

BOOST_AUTO_TEST_CASE(what_is_not_tcp_follows_its_bucket) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        auto frame = [v4](const Segment &segment) {
            return ethernet(v4 ? ipv4({}, segment) : ipv6({}, segment));
        };
        for (const Bytes &one :
             {frame(udp({})), frame(v4 ? icmp(8) : icmpv6(128)), frame(other(132))}) {
            node.guard();
            BOOST_TEST(node.judge(one) == "accepted");
            node.linger();
            BOOST_TEST(node.judge(one) == "foreign");
            node.datapath->install(all_mine());
            node.datapath->set_lease(1);
            BOOST_TEST(node.judge(one) == "lease_expired");
            node.datapath->set_lease(kForever);
        }
    });
}

BOOST_AUTO_TEST_CASE(a_lease_ends_by_itself) {
    Node node(true);
    Client client{true, next_port()};
    node.datapath->set_lease(boot_ns() + 3600ull * 1000000000);
    BOOST_TEST(node.judge(client.syn()) == "accepted");
    node.datapath->set_lease(boot_ns() + 50'000'000);
    wait_for([&] { return node.judge(client.syn()) == "lease_expired"; });
}

// Leases that end at every point between two ticks of the kernel: a clock that stands still in between is late.
BOOST_AUTO_TEST_CASE(no_packet_is_accepted_once_the_lease_is_over) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        const Bytes syn = Client{v4, next_port()}.syn();
        for (unsigned i = 1; i <= 100; ++i) {
            const std::uint64_t until = boot_ns() + 200'000 + i * 97'003;
            node.datapath->set_lease(until);
            while (boot_ns() < until)
                node.judge(syn);
            BOOST_REQUIRE(node.judge(syn) == "lease_expired");
        }
    });
}

BOOST_AUTO_TEST_CASE(a_syn_that_nobody_listens_for_is_dropped_and_reported) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        Client client{v4, next_port()};
        node.datapath->expect_service(0, true, std::nullopt);
        BOOST_TEST(node.judge(client.syn()) == "accepted");
        BOOST_TEST(!readable(node.datapath->missed_descriptor()));
        BOOST_TEST(node.datapath->take_missed() == 0u);
        node.stop_listening();
        BOOST_TEST(node.judge(client.syn()) == "no_listener");
        wait_for([&] { return readable(node.datapath->missed_descriptor()); });
        BOOST_TEST(node.judge(client.syn()) == "no_listener");
        BOOST_TEST(node.datapath->take_missed() == 1u);
        BOOST_TEST(!readable(node.datapath->missed_descriptor()));
        BOOST_TEST(node.judge(client.syn()) == "no_listener");
        wait_for([&] { return readable(node.datapath->missed_descriptor()); });
        node.datapath->expect_service(0, false, std::nullopt);
        BOOST_TEST(node.judge(client.syn()) == "accepted"); // and refused by the stack
    });
}

BOOST_AUTO_TEST_CASE(only_a_syn_of_the_rule_itself_is_asked_about) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        Client client{v4, next_port()};
        node.send_syn(client);
        Socket connection(node.accept_ack(client));
        node.stop_listening();
        node.datapath->expect_service(0, true, std::nullopt);
        BOOST_TEST(node.judge(client.ack()) == "accepted");
        BOOST_TEST(node.judge(client.syn()) == "accepted"); // the stack answers for its connection
        Client another{v4, next_port()};
        BOOST_TEST(node.judge(another.ack()) == "accepted");
        BOOST_TEST(node.judge(another.rst()) == "accepted");
        const Segment syn = tcp({.source = next_port(), .port = 8001, .flags = kSyn});
        BOOST_TEST(node.judge(ethernet(v4 ? ipv4({}, syn) : ipv6({}, syn))) == "accepted");
        node.datapath->install(nothing_mine());
        BOOST_TEST(node.judge(another.syn()) == "foreign");
    });
}

BOOST_AUTO_TEST_CASE(a_port_without_listener_is_refused_by_the_stack_while_the_service_listens_elsewhere) {
    for_both_families([](bool v4, Attach attach_it) {
        Node node(v4, attach_it);
        const Segment segment = tcp({.source = next_port(), .port = 8005, .flags = kSyn});
        const Bytes syn = ethernet(v4 ? ipv4({}, segment) : ipv6({}, segment));
        node.datapath->expect_service(2, true, std::nullopt);
        BOOST_TEST(node.judge(syn) == "no_listener");
        for (const char *address : {"192.0.2.100", "fd00::100"}) { // of either family
            const bool here = (std::string(address).find(':') == std::string::npos) == v4;
            node.datapath->expect_service(2, true, filter::Service{*filter::parse_ip(address), 80});
            BOOST_TEST(node.judge(syn) == (here ? "accepted" : "no_listener"));
        }
        node.stop_listening();
        BOOST_TEST(node.judge(syn) == "no_listener");
    });
}

BOOST_AUTO_TEST_CASE(a_wildcard_listener_of_ipv6_serves_ipv4_unless_it_is_for_ipv6_alone) {
    for (bool only : {false, true}) {
        Node node(true);
        node.stop_listening();
        node.datapath->expect_service(0, true, std::nullopt);
        Client client{true, next_port()};
        Socket wildcard(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const int yes = 1, v6_only = only;
        setsockopt(wildcard.fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        setsockopt(wildcard.fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
        sockaddr_in6 any{};
        any.sin6_family = AF_INET6;
        any.sin6_port = htons(80);
        BOOST_REQUIRE(bind(wildcard.fd, reinterpret_cast<sockaddr *>(&any), sizeof any) == 0);
        BOOST_REQUIRE(listen(wildcard.fd, 16) == 0);
        BOOST_TEST(node.judge(client.syn()) == (only ? "no_listener" : "accepted"));
    }
}

BOOST_AUTO_TEST_CASE(another_configuration_expects_no_service_until_it_is_told) {
    Node node(true);
    Client client{true, next_port()};
    node.stop_listening();
    node.datapath->expect_service(0, true, std::nullopt);
    filter::Settings changed = settings();
    changed.rules.pop_back();
    filter::Tables tables = all_mine();
    tables.pop_back();
    node.datapath->configure(changed, tables);
    BOOST_TEST(node.judge(client.syn()) != "no_listener");
}

BOOST_AUTO_TEST_SUITE_END()
