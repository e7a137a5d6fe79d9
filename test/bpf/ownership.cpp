// SPDX-License-Identifier: Apache-2.0
// Which bucket a source falls into, and whose it is: the agent's view of both and the program's are
// one.
#include "host.hpp"
#include "packets.hpp"

#include "filter/bucket.hpp"
#include "filter/xdp/xdp.hpp"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <random>
#include <thread>

using namespace packets;
using filter::Affinity;

namespace {

struct Source {
    std::string address;
    std::uint16_t port;
};

std::vector<Source> sources(bool v4) {
    std::mt19937 random(5);
    std::vector<Source> result;
    for (int i = 0; i < 300; i++) {
        filter::IpAddress address = *filter::parse_ip(v4 ? "10.0.0.0" : "2001:db8::");
        for (std::size_t byte = 1; byte < (v4 ? 4u : 16u); byte++)
            address.bytes[byte] = static_cast<std::uint8_t>(random());
        result.push_back({to_string(address), static_cast<std::uint16_t>(random())});
    }
    return result;
}

Bytes from(const Source &source, const Segment &segment) {
    bool v4 = filter::parse_ip(source.address)->is_v4();
    return ethernet(v4 ? ipv4({.source = source.address}, segment)
                       : ipv6({.source = source.address}, segment));
}

unsigned expected(Affinity affinity, const Source &source) {
    static const filter::Buckets buckets(settings().hash_key);
    return buckets.of(affinity, *filter::parse_ip(source.address), source.port);
}

} // namespace

BOOST_AUTO_TEST_SUITE(ownership)

BOOST_AUTO_TEST_CASE(the_program_and_the_agent_compute_the_same_bucket) {
    auto datapath = attach();
    for (bool v4 : {true, false}) {
        for (const Source &source : sources(v4)) {
            auto bucket = [&](const Segment &segment) {
                return unsigned(datapath->judge(from(source, segment)).bucket);
            };
            BOOST_TEST(bucket(tcp({.source = source.port})) == expected(Affinity::single, source));
            BOOST_TEST(bucket(udp({.source = source.port})) == expected(Affinity::none, source));
            BOOST_TEST(bucket(tcp({.source = source.port, .port = 8080})) ==
                       expected(Affinity::network, source));
            BOOST_TEST(bucket(v4 ? icmp(8) : icmpv6(128)) == expected(Affinity::single, source));
        }
    }
}

BOOST_AUTO_TEST_CASE(affinity_says_what_shares_a_bucket) {
    const filter::Buckets buckets(settings().hash_key);
    auto bucket = [&](Affinity affinity, const char *address, std::uint16_t port) {
        return buckets.of(affinity, *filter::parse_ip(address), port);
    };
    BOOST_TEST(bucket(Affinity::single, "10.0.0.1", 1) == bucket(Affinity::single, "10.0.0.1", 2));
    BOOST_TEST(bucket(Affinity::none, "10.0.0.1", 1) != bucket(Affinity::none, "10.0.0.1", 2));
    BOOST_TEST(bucket(Affinity::single, "10.0.0.1", 1) != bucket(Affinity::single, "10.0.0.2", 1));
    BOOST_TEST(bucket(Affinity::network, "10.0.0.1", 1) ==
               bucket(Affinity::network, "10.0.0.200", 2));
    BOOST_TEST(bucket(Affinity::network, "10.0.0.1", 1) !=
               bucket(Affinity::network, "10.0.1.1", 1));
    BOOST_TEST(bucket(Affinity::network, "fd00::1", 1) ==
               bucket(Affinity::network, "fd00::ff:1", 2));
    BOOST_TEST(bucket(Affinity::network, "fd00::1", 1) !=
               bucket(Affinity::network, "fd00:0:0:1::1", 1));
}

// One bit of one table decides, and it is the bit that the agent set.
BOOST_AUTO_TEST_CASE(exactly_the_buckets_of_the_table_are_accepted) {
    auto datapath = attach();
    Source source = {"10.1.2.3", 1234};
    unsigned bucket = expected(Affinity::single, source);
    auto reason = [&](const Segment &segment) {
        return datapath->judge(from(source, segment)).reason;
    };
    filter::Tables tables = nothing_mine();
    tables[0].mine[bucket / 64] = std::uint64_t{1} << bucket % 64;
    datapath->install(tables);
    BOOST_TEST(reason(tcp({.source = 1})) == "accepted");
    BOOST_TEST(reason(icmp(8)) == "foreign");
    BOOST_TEST(reason(udp({.source = source.port})) == "foreign");
    tables[0].mine[bucket / 64] = ~tables[0].mine[bucket / 64];
    tables.back().mine[bucket / 64] = std::uint64_t{1} << bucket % 64;
    tables[1].has_owner = false;
    datapath->install(tables);
    BOOST_TEST(reason(tcp({.source = 1})) == "foreign");
    BOOST_TEST(reason(icmp(8)) == "accepted");
    BOOST_TEST(reason(udp({.source = source.port})) == "no_owner");
}

BOOST_AUTO_TEST_CASE(before_the_first_tables_nothing_is_served) {
    auto datapath =
        filter::xdp::attach("near", filter::XdpMode::generic, Host::pin_dir("node"), settings());
    Bytes frame = ethernet(ipv4({}, tcp({})));
    BOOST_TEST(datapath->judge(frame).reason == "no_owner");
    datapath->install(all_mine());
    BOOST_TEST(datapath->judge(frame).reason == "lease_expired");
    datapath->set_lease(kForever);
    BOOST_TEST(datapath->judge(frame).reason == "accepted");
}

BOOST_AUTO_TEST_CASE(each_of_many_installs_takes_effect) {
    auto datapath = attach();
    Bytes frame = ethernet(ipv4({}, tcp({})));
    for (int i = 0; i < 20; i++) {
        datapath->install(i % 2 == 0 ? all_mine() : nothing_mine());
        BOOST_TEST(datapath->judge(frame).reason == (i % 2 == 0 ? "accepted" : "foreign"));
    }
}

// A bucket that this node serves before and after every switch is served during it.
BOOST_AUTO_TEST_CASE(a_switch_is_never_seen_half_done) {
    auto datapath = attach();
    Bytes frame = ethernet(ipv4({}, tcp({})));
    unsigned bucket = unsigned(datapath->judge(frame).bucket);
    filter::Tables odd = all_mine(), even = nothing_mine();
    even[0].mine[bucket / 64] = std::uint64_t{1} << bucket % 64;
    datapath->install(odd);
    std::atomic<std::uint64_t> packets = 0;
    std::jthread traffic([&](std::stop_token stop) {
        while (!stop.stop_requested()) {
            run_judging(*datapath, frame);
            packets++;
        }
    });
    for (int i = 0; i < 60 || packets < 20000; i++)
        datapath->install(i % 2 == 0 ? even : odd);
    traffic.request_stop();
    traffic.join();
    BOOST_TEST(counter(*datapath, "accepted") == packets.load());
}

BOOST_AUTO_TEST_CASE(every_rule_counts_what_it_took_and_dropped) {
    auto datapath = attach();
    filter::Tables tables = all_mine();
    tables[2] = nothing_mine()[2];
    datapath->install(tables);
    for (int i = 0; i < 3; i++)
        run_judging(*datapath, ethernet(ipv4({}, tcp({}))));
    run_judging(*datapath, ethernet(ipv4({}, tcp({.port = 8080}))));
    run_judging(*datapath, ethernet(ipv4({}, tcp({.port = 9999}))));
    run_judging(*datapath, ethernet(ipv6({}, icmpv6(128))));
    run_judging(*datapath, ethernet(ipv4({.destination = "192.0.2.9"}, tcp({}))));
    auto counters = datapath->rule_counters();
    BOOST_REQUIRE(counters.size() == settings().rules.size() + 1);
    const auto only = [](const std::vector<filter::Counter> &of_rule) {
        BOOST_TEST_REQUIRE(of_rule.size() == 1u);
        return std::string(of_rule[0].reason) + (of_rule[0].drop ? " dropped " : " taken ") +
               std::to_string(of_rule[0].packets);
    };
    BOOST_TEST(only(counters[0]) == "accepted taken 3");
    BOOST_TEST(counters[1].empty());
    BOOST_TEST(only(counters[2]) == "foreign dropped 1");
    BOOST_TEST(only(counters[3]) == "rule_disabled dropped 1");
    BOOST_TEST(only(counters.back()) == "accepted taken 1");
    BOOST_TEST(counter(*datapath, "not_virtual_ip") == 1u);
}

BOOST_AUTO_TEST_CASE(a_rule_is_disabled_and_enabled_while_packets_come) {
    auto datapath = attach();
    datapath->install(all_mine());
    const Bytes http = ethernet(ipv4({}, tcp({}))), dns = ethernet(ipv4({}, udp({})));
    BOOST_TEST(datapath->judge(http).reason == "accepted");
    datapath->set_disabled(0, true);
    BOOST_TEST(datapath->judge(http).reason == "rule_disabled");
    BOOST_TEST(datapath->judge(ethernet(ipv4({}, tcp({.flags = kAck})))).reason == "rule_disabled");
    BOOST_TEST(datapath->judge(dns).reason == "accepted");
    datapath->set_disabled(0, false);
    BOOST_TEST(datapath->judge(http).reason == "accepted");
}

// Places of the tables change their meaning: what is counted by rule begins anew, sums go on.
BOOST_AUTO_TEST_CASE(another_configuration_takes_effect_as_a_whole) {
    auto datapath = attach();
    datapath->install(all_mine());
    const Bytes web = ethernet(ipv4({}, tcp({}))), dns = ethernet(ipv4({}, udp({}))),
                mail = ethernet(ipv4({}, tcp({.port = 25})));
    run_judging(*datapath, web);
    filter::Settings changed = settings();
    changed.rules = {settings().rules[1], settings().rules[0]};
    changed.rules[1].first_port = changed.rules[1].last_port = 25;
    filter::Tables tables(3);
    tables[1] = all_mine()[0];
    for (int round = 0; round < 3; round++) {
        datapath->configure(changed, tables);
        BOOST_TEST(datapath->judge(mail).reason == "accepted");
        BOOST_TEST(datapath->judge(mail).rule == 1);
        BOOST_TEST(datapath->judge(dns).reason == "no_owner");
        BOOST_TEST(datapath->judge(dns).rule == 0);
        BOOST_TEST(datapath->judge(web).rule == -1);
        BOOST_TEST(datapath->rule_counters().size() == 3u);
        BOOST_TEST(datapath->rule_counters()[0].empty());
        datapath->configure(settings(), all_mine());
        BOOST_TEST(datapath->judge(web).reason == "accepted");
        BOOST_TEST(datapath->judge(web).rule == 0);
        BOOST_TEST(datapath->judge(dns).rule == 1);
    }
    BOOST_TEST(datapath->rule_counters()[0].empty());
    BOOST_TEST(counter(*datapath, "accepted") == 1u);
    datapath->set_disabled(0, true); // of the configuration in force
    BOOST_TEST(datapath->judge(web).reason == "rule_disabled");
}

BOOST_AUTO_TEST_CASE(judging_counts_nothing) {
    auto datapath = attach();
    datapath->install(all_mine());
    datapath->judge(ethernet(ipv4({}, tcp({}))));
    for (const filter::Counter &one : datapath->counters())
        BOOST_TEST(one.packets == 0u, one.reason);
}

BOOST_AUTO_TEST_SUITE_END()
