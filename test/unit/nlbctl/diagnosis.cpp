// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/diagnosis.hpp"
#include "agent/nlbctl/doctor_page.hpp"
#include "agent/nlbctl/table.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <sstream>

using namespace agent;

namespace {

constexpr const char *kMac = "03:bf:c0:00:02:64";
const std::set<std::string> kAll{"ipv4", "large4", "plain", "broadcast", "group4"};

std::vector<Patient> cluster(unsigned nodes) {
    std::vector<Patient> patients(nodes);
    for (unsigned i = 0; i < nodes; ++i) {
        Patient &one = patients[i];
        one.id = i + 1;
        one.name = "web" + std::to_string(i + 1);
        one.here = i == 0;
        one.has_sent = true;
        one.asked_gateway = i == 0;
        Facts facts;
        facts.version = "0.1.0";
        facts.state = "active";
        facts.datapath = "tc";
        facts.cluster_mac = kMac;
        facts.group = "239.255.77.77";
        facts.clients = {"eth0", "0a:00:00:00:00:0" + std::to_string(i % 10), true, true, 1500, 0};
        facts.heartbeats = {facts.clients};
        facts.families = {4};
        facts.gateway = "192.0.2.254";
        facts.macs = {{facts.clients.mac, "eth0"}};
        facts.sections = {{"cluster", "1"}};
        facts.translations.emplace();
        one.facts = facts;
        Earful heard;
        for (unsigned from = 1; from <= nodes; ++from) {
            if (from != one.id) heard.probes[{"eth0", from}] = kAll;
            heard.members[from] = 10;
        }
        heard.claims = {{"192.0.2.100", kMac}};
        heard.echoes = i == 0 ? 2 : 0;
        heard.cluster_echoes = {kMac};
        one.heard = heard;
    }
    return patients;
}

std::string names(const std::vector<Patient> &patients) {
    std::string text;
    for (const Finding &one : diagnose(patients).findings)
        text += (text.empty() ? "" : " ") + one.name + (one.fault ? "!" : "");
    return text;
}

const Finding &only(const Diagnosis &diagnosis) {
    BOOST_TEST_REQUIRE(diagnosis.findings.size() == 1u);
    return diagnosis.findings[0];
}

bool adds_address(const Finding &finding) { return finding.way_out.find("address = ") != std::string::npos; }

void leave(Patient &to, unsigned from, std::set<std::string> kinds) {
    to.heard->probes[{"eth0", from}] = std::move(kinds);
}

} // namespace

BOOST_AUTO_TEST_SUITE(doctor_diagnosis)

BOOST_AUTO_TEST_CASE(a_sound_cluster_has_nothing) {
    for (const unsigned nodes : {2u, 3u, 32u}) {
        const Diagnosis diagnosis = diagnose(cluster(nodes));
        BOOST_TEST(diagnosis.findings.empty());
        BOOST_TEST(diagnosis.not_checked.empty());
    }
}

BOOST_AUTO_TEST_CASE(a_switch_that_learned_is_told_from_a_port_that_filters) {
    auto learned = cluster(3), filtered = cluster(3), blocked = cluster(3);
    for (unsigned to = 0; to < 3; ++to)
        for (unsigned from = 1; from <= 3; ++from) {
            if (from == to + 1) continue;
            if (to != 1) leave(learned[to], from, {"broadcast", "group4"});
            if (to == 2) leave(filtered[to], from, {"broadcast", "group4"});
            leave(blocked[to], from, {"broadcast", "group4"});
        }
    BOOST_TEST(names(learned) == "cluster_mac_learned!");
    BOOST_TEST(only(diagnose(learned)).nodes[0] == "web2");
    BOOST_TEST(names(filtered) == "cluster_mac_filtered!");
    BOOST_TEST(only(diagnose(filtered)).nodes[0] == "web3");
    BOOST_TEST(names(blocked) == "cluster_mac_blocked!");
}

BOOST_AUTO_TEST_CASE(delivery_by_ip_address_and_isolation_have_names_of_their_own) {
    auto snooping = cluster(3), isolated = cluster(3);
    for (unsigned to = 0; to < 3; ++to)
        for (unsigned from = 1; from <= 3; ++from)
            if (from != to + 1) leave(snooping[to], from, {"plain", "broadcast", "group4"});
    BOOST_TEST(names(snooping) == "snooping_by_address!");
    isolated[1].heard->probes.erase({"eth0", 3u});
    isolated[2].heard->probes.erase({"eth0", 2u});
    BOOST_TEST(names(isolated) == "isolated!");
    BOOST_TEST(only(diagnose(isolated)).text.find("web2 does not hear web3") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(lost_long_frames_and_differing_mtus) {
    auto lost = cluster(2), differing = cluster(2);
    leave(lost[1], 1, {"ipv4", "plain", "broadcast", "group4"});
    BOOST_TEST(names(lost) == "mtu_not_carried!");
    differing[0].facts->clients.mtu = 9000;
    leave(differing[1], 1, {"ipv4", "plain", "broadcast", "group4"});
    BOOST_TEST(names(differing) == "mtu_differs");
}

BOOST_AUTO_TEST_CASE(of_beats_that_the_host_drops_a_strict_rp_filter_is_a_cause) {
    auto patients = cluster(2);
    patients[1].facts->problems = {{"beats_filtered", "beats are dropped", "let them in", false}};
    BOOST_TEST(names(patients) == "beats_filtered");
    patients[1].facts->heartbeats[0].rp_filter = 1;
    BOOST_TEST(names(patients) == "rp_filter beats_filtered");
}

BOOST_AUTO_TEST_CASE(a_group_that_does_not_arrive_is_a_fault_when_beats_do_not_either) {
    auto patients = cluster(2);
    leave(patients[1], 1, {"ipv4", "large4", "plain", "broadcast"});
    BOOST_TEST(names(patients) == "group_not_delivered");
    patients[1].heard->members[1] = 60'000;
    BOOST_TEST(names(patients) == "group_not_delivered!");
    BOOST_TEST(!adds_address(only(diagnose(patients))));
    patients[1].facts->without_address = {"web2"};
    BOOST_TEST(adds_address(only(diagnose(patients))));
}

BOOST_AUTO_TEST_CASE(with_forwarding_and_addresses_no_group_need_arrive) {
    auto patients = cluster(2);
    leave(patients[1], 1, {"ipv4", "large4", "plain", "broadcast"});
    for (Patient &one : patients) {
        one.facts->floods = false;
        one.facts->clients.mac = kMac; // where the virtual IPs are said to be
    }
    BOOST_TEST(names(patients) == "");
    patients[1].facts->without_address = {"web2"};
    BOOST_TEST(names(patients) == "group_not_delivered");
    patients[1].facts->without_address = {"web1"};
    BOOST_TEST(names(patients) == "");
    patients[1].heard->members[1] = 60'000;
    BOOST_TEST(names(patients) == "group_not_delivered!");
}

BOOST_AUTO_TEST_CASE(a_node_that_does_not_answer_is_silent_or_cut_off_from_commands) {
    auto patients = cluster(3);
    patients[2].facts.reset();
    patients[2].heard.reset();
    patients[2].code = "no_answer";
    BOOST_TEST(names(patients) == "commands_not_answered");
    patients[0].heard->members[3] = patients[1].heard->members[3] = std::nullopt;
    BOOST_TEST(names(patients) == "no_agent!");
    BOOST_TEST(!adds_address(only(diagnose(patients))));
    patients[0].facts->without_address = {"web3"};
    BOOST_TEST(adds_address(only(diagnose(patients))));
    BOOST_TEST(int(hears(patients[0], patients[2])) == int(Hears::unknown));
    patients[2].code = "unknown_command";
    BOOST_TEST(names(patients) == "answer_unknown");
}

BOOST_AUTO_TEST_CASE(neighbours_and_the_gateway) {
    auto patients = cluster(2);
    patients[1].heard->claims.emplace_back("192.0.2.100", "0a:00:00:00:00:00");
    BOOST_TEST(names(patients) == "virtual_ip_answered!");
    BOOST_TEST(only(diagnose(patients)).text.find("web1 (eth0,") == 0u);
    patients = cluster(2);
    patients[0].heard->questions = {{"192.0.2.9", "192.0.2.100", 3}};
    BOOST_TEST(names(patients) == "neighbour_keeps_asking");
    patients = cluster(2);
    for (Patient &one : patients)
        one.heard->cluster_echoes.clear();
    BOOST_TEST(names(patients) == "gateway_without_entry!");
    patients[1].heard->cluster_echoes = {"0a:00:00:00:00:01"};
    BOOST_TEST(names(patients) == "gateway_wrong_entry!");
    patients[1].facts->datapath = "xdp"; // there the filter has written it
    BOOST_TEST(names(patients) == "");
}

BOOST_AUTO_TEST_CASE(with_forwarding_no_frame_has_the_cluster_mac) {
    auto patients = cluster(3);
    for (Patient &one : patients) {
        one.facts->floods = false;
        for (auto &[from, kinds] : one.heard->probes)
            kinds = {"broadcast", "group4"};
        one.heard->claims = {{"192.0.2.100", patients[1].facts->clients.mac}};
        one.heard->cluster_echoes = {patients[1].facts->clients.mac};
    }
    BOOST_TEST(names(patients) == "");
    patients[2].heard->claims.emplace_back("192.0.2.100", "0a:00:00:00:00:99");
    BOOST_TEST(names(patients) == "virtual_ip_answered!");
    patients[2].heard->claims.pop_back();
    patients[2].heard->probes.clear();
    BOOST_TEST(names(patients) == "isolated!");
}

BOOST_AUTO_TEST_CASE(silent_nodes_of_one_kind_are_one_finding) {
    auto patients = cluster(4);
    for (const std::size_t i : {2u, 3u}) {
        patients[i].facts.reset();
        patients[i].heard.reset();
        patients[i].code = "no_answer";
        for (const std::size_t of : {0u, 1u})
            patients[of].heard->members[static_cast<unsigned>(i + 1)] = std::nullopt;
    }
    BOOST_TEST(only(diagnose(patients)).nodes.size() == 2u);
}

BOOST_AUTO_TEST_CASE(nodes_that_differ) {
    auto patients = cluster(2);
    patients[1].facts->version = "0.2.0";
    BOOST_TEST(names(patients) == "version_differs");
    patients = cluster(2);
    patients[1].facts->sections["cluster"] = "2";
    BOOST_TEST(names(patients) == "configuration_differs!");
    patients = cluster(2);
    patients[1].clock_from_ms = 89'000;
    patients[1].clock_to_ms = 90'100;
    BOOST_TEST(names(patients) == "clock_differs");
    BOOST_TEST(only(diagnose(patients)).text.find("89.0 s ahead of web1's") != std::string::npos);
    patients[1].clock_from_ms = -200;
    patients[1].clock_to_ms = 6000; // a slow answer
    BOOST_TEST(names(patients) == "");
}

BOOST_AUTO_TEST_CASE(what_a_node_knows_itself_is_passed_on_under_its_name) {
    auto patients = cluster(2);
    patients[1].facts->problems = {{"host_unfit", "lo is down", "ip link set lo up", true}};
    patients[1].facts->state = "joining";
    const Diagnosis diagnosis = diagnose(patients);
    BOOST_TEST(only(diagnosis).name == "host_unfit");
    BOOST_TEST(only(diagnosis).way_out == "ip link set lo up");
    patients[1].facts->problems.clear();
    BOOST_TEST(names(patients) == "not_serving");
    patients = cluster(2);
    patients[0].facts->translations->emplace_back("http", "tcp dport 80 dnat to 172.17.0.2:80");
    BOOST_TEST(names(patients) == "service_translated");
}

BOOST_AUTO_TEST_CASE(an_answer_of_another_form_is_one_nodes_and_not_the_doctors_end) {
    const Json reply{{"id", 2}, {"name", "web2"}, {"ok", true}, {"result", {{"version", 7}}}};
    const Patient patient = read_patient(reply, nullptr);
    BOOST_TEST(!patient.answers());
    BOOST_TEST(patient.code == "failed");
}

BOOST_AUTO_TEST_CASE(the_page_fits_eighty_columns_with_any_number_of_nodes) {
    for (const unsigned nodes : {3u, 32u}) {
        auto patients = cluster(nodes);
        patients[2].name = "a-name-that-is-much-longer-than-others";
        leave(patients[0], 2, {"broadcast"});
        leave(patients[1], 3, {"ipv4", "broadcast", "plain", "group4"});
        const Consultation consultation{true, patients, diagnose(patients)};
        const std::string page = render_consultation(consultation, false);
        std::istringstream stream(page);
        for (std::string line; std::getline(stream, line);)
            BOOST_TEST(display_width(line) <= 80u, line);
        BOOST_TEST(page == render_consultation(consultation, false));
        BOOST_TEST(page.find("fault") != std::string::npos);
        BOOST_TEST(page.find('\033') == std::string::npos);
    }
}

BOOST_AUTO_TEST_SUITE_END()
