// SPDX-License-Identifier: Apache-2.0
// The kernel's list of sockets: its bytes, whole and spoiled; where a connection belongs; and this
// host's own kernel.
#include "agent/health/listeners.hpp"
#include "agent/node/census.hpp"

#include "filter/bucket.hpp"

#include <algorithm>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <cstring>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

namespace {

using agent::Connection;
using agent::Dump;
using Bytes = std::vector<std::uint8_t>;
using namespace std::chrono_literals;

constexpr std::uint32_t kRequest = 2;

template <class Struct>
void append(Bytes &bytes, const Struct &value) {
    const std::size_t end = bytes.size();
    bytes.resize(end + sizeof value);
    std::memcpy(bytes.data() + end, &value, sizeof value);
}

Bytes message(std::uint16_t type, const Bytes &payload, std::uint32_t request = kRequest) {
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(sizeof header + payload.size());
    header.nlmsg_type = type;
    header.nlmsg_seq = request;
    Bytes bytes;
    append(bytes, header);
    for (const std::uint8_t byte : payload)
        bytes.push_back(byte);
    bytes.resize(NLMSG_ALIGN(bytes.size()));
    return bytes;
}

Bytes number(std::int32_t value) {
    Bytes bytes;
    append(bytes, value);
    return bytes;
}

Bytes socket(int family, const char *local, std::uint16_t local_port, const char *remote,
             std::uint16_t remote_port, std::uint32_t request = kRequest) {
    inet_diag_msg about{};
    about.idiag_family = static_cast<std::uint8_t>(family);
    about.idiag_state = 1;
    about.id.idiag_sport = htons(local_port);
    about.id.idiag_dport = htons(remote_port);
    BOOST_REQUIRE(inet_pton(family, local, about.id.idiag_src) == 1);
    BOOST_REQUIRE(inet_pton(family, remote, about.id.idiag_dst) == 1);
    Bytes payload;
    append(payload, about);
    append(payload, std::uint64_t{0x0000000700080005}); // an attribute that is not needed
    return message(SOCK_DIAG_BY_FAMILY, payload, request);
}

Connection connection(const char *local, std::uint16_t local_port, const char *remote,
                      std::uint16_t remote_port) {
    return {*filter::parse_ip(local), *filter::parse_ip(remote), local_port, remote_port};
}

Bytes operator+(Bytes first, const Bytes &second) {
    for (const std::uint8_t byte : second)
        first.push_back(byte);
    return first;
}

const Bytes kDone = message(NLMSG_DONE, number(0));

struct Parsed {
    Dump state;
    std::vector<Connection> found;
};
Parsed parse(const Bytes &bytes) {
    Parsed parsed{};
    parsed.state = agent::parse_sockets(bytes, kRequest, parsed.found);
    return parsed;
}

filter::Settings settings() {
    filter::Settings settings;
    settings.virtual_ips = {*filter::parse_ip("192.0.2.100"), *filter::parse_ip("2001:db8::100")};
    settings.hash_key = {1, 2, 3};
    filter::Rule dns, web;
    dns.udp = true;
    dns.first_port = dns.last_port = 80;
    web.tcp = true;
    web.first_port = web.last_port = 80;
    web.virtual_ips = 1;
    web.affinity = filter::Affinity::none;
    settings.rules = {dns, web};
    return settings;
}

} // namespace

BOOST_AUTO_TEST_SUITE(agent_sockets)

BOOST_AUTO_TEST_CASE(listeners_are_read_with_what_they_take) {
    const auto listening = [](int family, const char *local, std::uint16_t port, bool v6_only,
                              std::uint32_t interface) {
        inet_diag_msg about{};
        about.idiag_family = static_cast<std::uint8_t>(family);
        about.idiag_state = 10;
        about.id.idiag_sport = htons(port);
        about.id.idiag_if = interface;
        BOOST_REQUIRE(inet_pton(family, local, about.id.idiag_src) == 1);
        Bytes payload;
        append(payload, about);
        append(payload, std::uint64_t{0x0000000700080005}); // another attribute first
        // INET_DIAG_SKV6ONLY, one byte
        append(payload, std::uint64_t{0x000b0005} | std::uint64_t{v6_only} << 32);
        return message(SOCK_DIAG_BY_FAMILY, payload);
    };
    std::vector<agent::Listener> found;
    const Bytes bytes = listening(AF_INET, "192.0.2.100", 80, false, 0) +
                        listening(AF_INET6, "::", 443, true, 3) + listening(AF_INET6, "::", 444, false, 0) +
                        kDone;
    BOOST_TEST((agent::parse_listeners(bytes, kRequest, found) == Dump::done));
    BOOST_TEST((found == std::vector<agent::Listener>{{*filter::parse_ip("192.0.2.100"), 80, false, 0},
                                                      {*filter::parse_ip("::"), 443, true, 3},
                                                      {*filter::parse_ip("::"), 444, false, 0}}));
    for (std::size_t size = 0; size < bytes.size(); ++size) { // whatever is cut off
        std::vector<agent::Listener> some;
        agent::parse_listeners(std::span(bytes).first(size), kRequest, some);
        BOOST_TEST(some.size() <= 3u);
    }
}

BOOST_AUTO_TEST_CASE(this_hosts_listeners_are_listed) {
    const int listening = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    BOOST_REQUIRE(listening >= 0);
    BOOST_REQUIRE(listen(listening, 1) == 0); // on a port of the kernel's choice
    sockaddr_in6 name{};
    socklen_t size = sizeof name;
    getsockname(listening, reinterpret_cast<sockaddr *>(&name), &size);
    const auto listed = [&] {
        return std::ranges::count(agent::list_listeners(), ntohs(name.sin6_port), &agent::Listener::port);
    };
    BOOST_TEST(listed() == 1);
    close(listening);
    BOOST_TEST(listed() == 0);
}

BOOST_AUTO_TEST_CASE(sockets_of_both_families_are_read_and_ipv4_in_ipv6_dress_is_ipv4) {
    const auto parsed = parse(socket(AF_INET, "192.0.2.100", 80, "198.51.100.7", 40000) +
                              socket(AF_INET6, "2001:db8::100", 443, "2001:db8::7", 40001) +
                              socket(AF_INET6, "::ffff:192.0.2.100", 80, "::ffff:1.2.3.4", 5));
    BOOST_TEST((parsed.state == Dump::more));
    BOOST_TEST((parsed.found == std::vector{connection("192.0.2.100", 80, "198.51.100.7", 40000),
                                            connection("2001:db8::100", 443, "2001:db8::7", 40001),
                                            connection("192.0.2.100", 80, "1.2.3.4", 5)}));
}

BOOST_AUTO_TEST_CASE(the_end_is_seen_and_so_is_an_error_in_its_place) {
    const Bytes one = socket(AF_INET, "192.0.2.100", 80, "198.51.100.7", 40000);
    BOOST_TEST((parse(one + kDone).state == Dump::done));
    BOOST_TEST(parse(one + kDone).found.size() == 1u);
    BOOST_TEST((parse(message(NLMSG_DONE, {})).state == Dump::done));
    BOOST_TEST((parse(message(NLMSG_DONE, number(-12))).state == Dump::failed));
    BOOST_TEST((parse(message(NLMSG_ERROR, number(-2))).state == Dump::failed));
    BOOST_TEST((parse(message(NLMSG_ERROR, {})).state == Dump::failed));
}

BOOST_AUTO_TEST_CASE(answers_to_another_request_and_unknown_messages_are_passed_over) {
    const auto parsed = parse(socket(AF_INET, "1.1.1.1", 1, "2.2.2.2", 2, kRequest - 1) +
                              message(NLMSG_DONE, number(0), kRequest - 1) +
                              message(NLMSG_NOOP, {1, 2, 3}) + kDone);
    BOOST_TEST((parsed.state == Dump::done));
    BOOST_TEST(parsed.found.empty());
}

BOOST_AUTO_TEST_CASE(whatever_is_cut_off_fails_and_nothing_is_read_beyond_it) {
    const Bytes whole = socket(AF_INET, "192.0.2.100", 80, "198.51.100.7", 40000) + kDone;
    const std::size_t first = whole.size() - kDone.size();
    for (std::size_t size = 1; size < whole.size(); ++size) {
        const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        BOOST_TEST((parse(part).state == (size == first ? Dump::more : Dump::failed)), size);
    }
    Bytes short_socket(sizeof(inet_diag_msg) - 1);
    BOOST_TEST((parse(message(SOCK_DIAG_BY_FAMILY, short_socket)).state == Dump::failed));
    Bytes unknown_family(sizeof(inet_diag_msg), 99);
    BOOST_TEST((parse(message(SOCK_DIAG_BY_FAMILY, unknown_family)).state == Dump::failed));
}

BOOST_AUTO_TEST_CASE(lengths_that_lie_fail) {
    for (const std::uint32_t length : {0u, 15u, 1000u, 0xffffffffu, 0xfffffffdu}) {
        Bytes bytes = kDone;
        std::memcpy(bytes.data(), &length, sizeof length);
        BOOST_TEST((parse(bytes).state == Dump::failed), length);
    }
}

BOOST_AUTO_TEST_CASE(a_connection_belongs_to_the_rule_of_its_virtual_ip_and_to_its_clients_bucket) {
    const filter::Settings all = settings();
    const auto http = connection("192.0.2.100", 80, "198.51.100.7", 40000);
    const filter::Buckets buckets(all.hash_key);
    const auto place = agent::place_of(http, all, buckets);
    BOOST_REQUIRE(place.has_value());
    BOOST_TEST(place->table == 1u); // not the UDP rule of the same port
    BOOST_TEST(place->bucket == buckets.of(filter::Affinity::none, http.remote, 40000));
    const auto uncovered = connection("2001:db8::100", 80, "2001:db8::7", 40000);
    const auto elsewhere = agent::place_of(uncovered, all, buckets);
    BOOST_REQUIRE(elsewhere.has_value());
    BOOST_TEST(elsewhere->table == 2u); // the rule is the other address's
    BOOST_TEST(elsewhere->bucket == buckets.of(filter::Affinity::single, uncovered.remote, 0));
}

BOOST_AUTO_TEST_CASE(what_is_no_clients_connection_has_no_place) {
    const filter::Settings all = settings();
    const filter::Buckets buckets(all.hash_key);
    BOOST_TEST(!agent::place_of(connection("192.0.2.1", 80, "198.51.100.7", 4), all, buckets));
    BOOST_TEST(!agent::place_of(connection("192.0.2.100", 80, "192.0.2.100", 4), all, buckets));
}

BOOST_AUTO_TEST_CASE(this_hosts_kernel_answers_and_passes_come_when_they_are_due) {
    agent::SocketCensus census(settings());
    BOOST_TEST(!census.latest().has_value());
    heartbeat::Time now = 100s;
    for (int turn = 0; turn < 10000 && !census.handle(now, agent::Pace::idle, {}); ++turn)
        now += 1ms;
    BOOST_REQUIRE(census.latest().has_value());
    BOOST_TEST(census.latest()->connections.size() == 3u);
    BOOST_TEST(census.latest()->total() == 0u);
    BOOST_TEST(census.descriptor() == -1);
    BOOST_TEST((census.wake_at(agent::Pace::idle) >= now + 10s));
    BOOST_TEST((census.wake_at(agent::Pace::draining) < census.wake_at(agent::Pace::lingering)));
    BOOST_TEST(!census.handle(now + 50ms, agent::Pace::draining, {}));
}

BOOST_AUTO_TEST_SUITE_END()
