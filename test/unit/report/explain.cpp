// SPDX-License-Identifier: Apache-2.0
// Whose is this flow: addresses as people write them, the frame that is judged, the answer.
#include "test/unit/config/texts.hpp"
#include "test/unit/node/fakes.hpp"

#include "agent/nlbctl/render.hpp"
#include "agent/report/explain.hpp"
#include "agent/report/probe_frame.hpp"
#include "filter/tables.hpp"

#include <boost/test/unit_test.hpp>

namespace {

using namespace agent_test;
using namespace std::chrono_literals;
using agent::Json;

const std::string kTables =
    virtual_ip("192.0.2.100") + virtual_ip("fd00::100") + rule("http", "tcp", "80");

struct Fixture {
    TestCluster cluster{2};
    agent::Config config = two_nodes(kTables);
    FakeDatapath &datapath = cluster.machine(1).datapath;

    Json explain(const std::vector<std::string> &args) {
        return agent::explain(args, config, *cluster.machine(1).node, datapath, cluster.now());
    }
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(agent_explain, Fixture)

BOOST_AUTO_TEST_CASE(an_endpoint_is_an_address_and_a_port) {
    const auto v4 = agent::parse_endpoint("192.0.2.1:80"),
               v6 = agent::parse_endpoint("[fd00::1]:65535");
    BOOST_REQUIRE(v4);
    BOOST_REQUIRE(v6);
    BOOST_TEST(filter::to_string(v4->address) == "192.0.2.1");
    BOOST_TEST(v4->port == 80);
    BOOST_TEST(filter::to_string(v6->address) == "fd00::1");
    BOOST_TEST(v6->port == 65535);
    for (const char *bad :
         {"", ":", ":80", "192.0.2.1", "192.0.2.1:", "192.0.2.1:x", "192.0.2.1:80x",
          "192.0.2.1:65536", "192.0.2.1:-1", "[192.0.2.1]:80", "fd00::1:80", "[fd00::1]",
          "[fd00::1]80", "[]:80", "host:80", "192.0.2.1: 80"})
        BOOST_TEST(!agent::parse_endpoint(bad), bad);
}

BOOST_AUTO_TEST_CASE(a_probe_is_a_whole_frame) {
    const auto from = *agent::parse_endpoint("192.0.2.1:258"),
               to = *agent::parse_endpoint("192.0.2.100:80");
    const std::vector<std::uint8_t> expected{
        3, 0xbf, 192, 0, 2,  100, 2, 0, 0,   0, 0,    1, 8,   0, 0x45, 0,   0, 40,
        0, 0,    0,   0, 64, 6,   0, 0, 192, 0, 2,    1, 192, 0, 2,    100, 1, 2,
        0, 80,   0,   0, 0,  0,   0, 0, 0,   0, 0x50, 2, 0,   0, 0,    0,   0, 0};
    BOOST_TEST(agent::probe_frame(agent::Protocol::tcp, from, to, {3, 0xbf, 192, 0, 2, 100}) ==
                   expected,
               boost::test_tools::per_element());
    const auto six = *agent::parse_endpoint("[fd00::1]:1");
    BOOST_TEST(agent::probe_frame(agent::Protocol::udp, six, six, {}).size() == 14u + 40u + 8u);
}

BOOST_AUTO_TEST_CASE(it_names_rule_owner_and_this_nodes_verdict) {
    cluster.run(10s); // nothing lingers any more
    for (unsigned bucket : {0u, 1u, 2u, 3u, 65535u}) {
        const bool here = datapath.serves(0, bucket);
        datapath.verdict = {here ? "accepted" : "foreign", !here, 0,
                            static_cast<std::int32_t>(bucket)};
        const Json answer = explain({"tcp", "192.0.2.1:5000", "192.0.2.100:80"});
        const Json weighs100{{"weight", 100}, {"left_out", nullptr}};
        Json web1{{"id", 1}, {"name", "web1"}}, web2{{"id", 2}, {"name", "web2"}};
        web1.update(weighs100);
        web2.update(weighs100);
        const Json expected{{"rule", "http"},
                            {"bucket", bucket},
                            {"owner", here ? 1 : 2},
                            {"owner_name", here ? "web1" : "web2"},
                            {"why", {"highest_score"}},
                            {"verdict", here ? "pass" : "drop"},
                            {"reason", here ? "accepted" : "foreign"},
                            {"protocol", "tcp"},
                            {"source", "192.0.2.1:5000"},
                            {"destination", "192.0.2.100:80"},
                            {"flags", "syn"},
                            {"mode", "multiple"},
                            {"affinity", "single"},
                            {"node", 1},
                            {"candidates", {web1, web2}}};
        BOOST_TEST(answer == expected);
    }
    BOOST_TEST(datapath.judged.size() == 54u);
}

BOOST_AUTO_TEST_CASE(uncovered_traffic_has_no_rule_and_the_default_host_as_owner) {
    cluster.run(3s);
    datapath.verdict = {"accepted", false, -1, 77};
    const Json answer = explain({"udp", "[fd00::1]:5", "[fd00::100]:53"});
    BOOST_TEST(answer["rule"].is_null());
    BOOST_TEST(answer["owner"] == 1);
    BOOST_TEST(answer["why"][0] == "default_host");
    BOOST_TEST(answer["flags"].is_null());
    BOOST_TEST(answer["mode"].is_null());
}

BOOST_AUTO_TEST_CASE(an_ack_is_judged_as_one) {
    cluster.run(3s);
    const Json answer = explain({"tcp", "192.0.2.1:5000", "192.0.2.100:80", "ack"});
    BOOST_TEST(answer["flags"] == "ack");
    BOOST_TEST(datapath.judged[14 + 20 + 13] == 0x10);
    explain({"tcp", "192.0.2.1:5000", "192.0.2.100:80", "syn"});
    BOOST_TEST(datapath.judged[14 + 20 + 13] == 0x02);
}

BOOST_AUTO_TEST_CASE(it_says_what_stands_in_the_way) {
    cluster.run(10s); // what lingered at the start is over
    datapath.verdict = {"foreign", true, 0, 5};
    const std::vector<std::string> flow{"tcp", "192.0.2.1:5000", "192.0.2.100:80"};
    BOOST_TEST(explain(flow)["why"].size() == 1u);
    cluster.machine(2).node->step(cluster.now(), heartbeat::event::Drain{});
    cluster.run(300ms);
    Json answer = explain(flow); // web2's groups linger there and are guarded here
    BOOST_TEST(answer["owner"] == 1);
    BOOST_TEST(answer["why"] == Json({"highest_score", "guarded"}));
    BOOST_TEST(answer["candidates"][1]["weight"] == 0);
    BOOST_TEST(answer["candidates"][1]["left_out"] == "draining");
    cluster.machine(1).node->step(cluster.now(), heartbeat::event::Stop{});
    cluster.run(300ms);
    answer = explain(flow);
    BOOST_TEST(answer["owner"].is_null());
    BOOST_TEST(answer["why"][0] == "no_eligible_node");
    BOOST_TEST((std::ranges::count(answer["why"], Json("no_lease")) == 1));
    BOOST_TEST((std::ranges::count(answer["why"], Json("lingering")) == 1));
    BOOST_TEST(answer["candidates"][0]["left_out"] == "stopped by command");
}

BOOST_AUTO_TEST_CASE(every_code_has_its_sentence) {
    cluster.run(3s);
    Json answer = explain({"tcp", "192.0.2.1:5000", "192.0.2.100:80"});
    for (std::uint32_t reason = 0; reason < NLB_REASONS; reason++) {
        answer["reason"] = filter::reason_name(reason);
        const std::string text = agent::render_explanation(answer);
        BOOST_TEST(text.find("(" + std::string(filter::reason_name(reason)) + "): " +
                             std::string(filter::reason_name(reason))) == text.npos,
                   text);
    }
}

BOOST_AUTO_TEST_CASE(an_explanation_is_a_text_worth_reading) {
    const Json told = Json::parse(R"({
        "rule": "http", "bucket": 77, "owner": 2, "owner_name": "web2", "why": ["highest_score", "lingering"],
        "verdict": "drop", "reason": "lingering_syn", "protocol": "tcp", "source": "192.0.2.1:5000",
        "destination": "192.0.2.100:80", "flags": "syn", "mode": "multiple", "affinity": "single", "node": 1,
        "candidates": [
          {"id": 1, "name": "web1", "weight": 10, "left_out": null},
          {"id": 2, "name": "web2", "weight": 90, "left_out": null},
          {"id": 3, "name": "web3", "weight": 0, "left_out": "draining"},
          {"id": 4, "name": "web4", "weight": 0, "left_out": "not heard"}]})");
    BOOST_TEST(agent::render_explanation(told) ==
               "tcp 192.0.2.1:5000 to 192.0.2.100:80, opening a connection (SYN)\n"
               "\n"
               "  rule        http (multiple, affinity single)\n"
               "  bucket      77 of 65536\n"
               "  owner       web2: the highest score for this bucket, by weight\n"
               "  among       web1 weight 10, web2 weight 90\n"
               "  not         web3: draining; web4: not heard\n"
               "  here        web1 drops it (lingering_syn): the bucket has moved: its new owner "
               "takes new connections\n"
               "              lingering: connections of this bucket's group may still be open "
               "here; they go on, new ones belong to the owner\n");
}

BOOST_AUTO_TEST_CASE(before_any_view_nobody_owns_it) {
    datapath.verdict = {"no_owner", true, 0, 5};
    const Json answer = explain({"tcp", "192.0.2.1:5000", "192.0.2.100:80"});
    BOOST_TEST(answer["owner"].is_null());
    BOOST_TEST(answer["owner_name"].is_null());
    BOOST_TEST(answer["why"][0] == "no_eligible_node");
    BOOST_TEST(answer["verdict"] == "drop");
}

BOOST_AUTO_TEST_CASE(what_makes_no_sense_fails) {
    for (const std::vector<std::string> &args : {std::vector<std::string>{},
                                                 {"tcp"},
                                                 {"icmp", "192.0.2.1:1", "192.0.2.100:80"},
                                                 {"tcp", "192.0.2.1", "192.0.2.100:80"},
                                                 {"tcp", "[fd00::1]:1", "192.0.2.100:80"},
                                                 {"tcp", "192.0.2.1:1", "192.0.2.99:80"},
                                                 {"tcp", "192.0.2.1:1", "192.0.2.100:80", "fin"},
                                                 {"udp", "192.0.2.1:1", "192.0.2.100:80", "ack"}})
        BOOST_CHECK_THROW(explain(args), agent::Failed);
}

BOOST_AUTO_TEST_SUITE_END()
