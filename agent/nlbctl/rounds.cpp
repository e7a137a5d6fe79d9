// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/rounds.hpp"

#include "agent/base/random.hpp"
#include "agent/nlbctl/nodes.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>
#include <thread>
#include <tuple>

namespace agent {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kListening = 3200ms; // a host that gets no answer asks by ARP once a second, three times

std::string new_run() {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(random_bits() | 1));
    return text;
}

std::int64_t wall_clock_ms() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

SeenInterface read_interface(const Json &json) {
    SeenInterface seen;
    seen.name = json.at("name");
    seen.there = json.at("there");
    if (!seen.there) return seen;
    seen.mac = json.at("mac");
    seen.running = json.at("running");
    seen.mtu = json.at("mtu");
    seen.rp_filter = json.at("rp_filter");
    return seen;
}

void read_lists(const Json &json, Facts &facts) {
    for (const Json &one : json.at("problems"))
        facts.problems.push_back(
            {one.at("name"), one.at("text"), one.at("way_out"), one.at("serious")});
    for (const Json &one : json.at("heartbeat_interfaces"))
        facts.heartbeats.push_back(read_interface(one));
    for (const Json &one : json.at("families"))
        facts.families.insert(one.get<int>());
    for (const Json &one : json.value("without_address", Json::array())) // the release before does not say
        facts.without_address.insert(one.get<std::string>());
    for (const Json &one : json.at("macs"))
        facts.macs.insert_or_assign(one.at("mac").get<std::string>(),
                                    one.at("interface").get<std::string>());
    for (const Json &one : json.at("sections"))
        facts.sections.insert_or_assign(one.at("name").get<std::string>(),
                                        one.at("digest").get<std::string>());
    if (json.at("translations").is_null()) return;
    facts.translations.emplace();
    for (const Json &one : json.at("translations"))
        facts.translations->emplace_back(one.at("rule"), one.at("line"));
}

Facts read_facts(const Json &json) {
    Facts facts;
    facts.version = json.at("version");
    facts.state = json.at("state");
    facts.reason = json.at("reason");
    facts.datapath = json.at("datapath");
    facts.cluster_mac = json.at("cluster_mac");
    facts.floods = json.at("floods");
    facts.group = json.at("group");
    facts.port = json.at("port");
    facts.control_port = json.at("control_port");
    facts.clients = read_interface(json.at("interface"));
    if (!json.at("gateway").is_null()) facts.gateway = json.at("gateway").get<std::string>();
    read_lists(json, facts);
    return facts;
}

Earful read_earful(const Json &json) {
    Earful heard;
    for (const Json &one : json.at("probes"))
        heard.probes[{one.at("interface"), one.at("from")}] =
            one.at("kinds").get<std::set<std::string>>();
    for (const Json &one : json.at("beats").at("of"))
        heard.beats.insert(one.get<unsigned>());
    for (const Json &one : json.at("beats").at("refused"))
        heard.refused_beats.insert_or_assign(one.at("address").get<std::string>(),
                                             one.at("reason").get<std::string>());
    heard.refused = json.at("refused").get<std::map<std::string, std::uint64_t>>();
    for (const Json &one : json.at("neighbours").at("claims"))
        heard.claims.emplace_back(one.at("address"), one.at("mac"));
    for (const Json &one : json.at("neighbours").at("questions"))
        heard.questions.emplace_back(one.at("asker"), one.at("address"), one.at("count"));
    heard.echoes = json.at("echoes").at("own");
    heard.cluster_echoes = json.at("echoes").at("cluster").get<std::set<std::string>>();
    for (const Json &one : json.at("members")) {
        const Json &ago = one.at("last_heard_ms");
        heard.members[one.at("id").get<unsigned>()] =
            ago.is_null() ? std::nullopt : std::optional(ago.get<std::int64_t>());
    }
    return heard;
}

bool is_done(const Json &reply) { return !reply.is_null() && reply.at("ok"); }

const Json *reply_of(const Json &replies, const Json &id) {
    for (const Json &reply : replies)
        if (reply.at("id") == id) return &reply;
    return nullptr;
}

// One node sends after the other, and the first one that serves asks the gateway.
void probe_in_turn(const std::string &run_dir, const std::string &run,
                   std::vector<Patient> &patients) {
    const auto asker = std::ranges::find_if(patients, [](const Patient &one) {
        return one.facts && one.facts->state == "active" && one.facts->gateway;
    });
    for (auto patient = patients.begin(); patient != patients.end(); ++patient) {
        if (!patient->facts) continue;
        Commands::Arguments args{run};
        if (patient == asker) args.push_back("gateway");
        const std::int64_t before = wall_clock_ms();
        const Json reply = ask_nodes(run_dir, {"probe", args, patient->name}).at(0);
        if (!is_done(reply) || !reply.at("result").contains("time_ms")) continue;
        const std::int64_t clock = reply.at("result").at("time_ms");
        patient->clock_from_ms = clock - wall_clock_ms();
        patient->clock_to_ms = clock - before;
        patient->has_sent = reply.at("result").at("sent") > 0;
        patient->asked_gateway = patient == asker;
    }
}

// The local node's id: this node has to listen first; without it no run begins.
Json begin_here(const std::string &run_dir, const std::string &run) {
    const Json here = ask_nodes(run_dir, {"examine", {run}, ""}).at(0);
    if (here.at("ok")) return here.at("id");
    if (here.at("code") == "refused") throw Denied(here.at("error"));
    throw std::runtime_error(here.at("error"));
}

} // namespace

Patient read_patient(const Json &examined, const Json &heard) {
    Patient patient;
    patient.id = examined.at("id");
    patient.name = examined.at("name");
    const auto fail = [&](const Json &reply) {
        patient.code = reply.at("code");
        patient.error = reply.at("error");
    };
    if (!is_done(examined)) return fail(examined), patient;
    try {
        patient.facts = read_facts(examined.at("result"));
        if (is_done(heard)) patient.heard = read_earful(heard.at("result"));
    } catch (const Json::exception &) {
        patient.facts.reset();
        patient.code = "failed";
        patient.error = "its answer is not what an agent of this version sends";
        return patient;
    }
    if (!patient.heard && !heard.is_null()) fail(heard);
    return patient;
}

std::vector<Patient> do_rounds(const std::string &run_dir) {
    const std::string run = new_run();
    const Clock::time_point begun = Clock::now();
    const Json here = begin_here(run_dir, run);
    const Json examined = ask_nodes(run_dir, {"examine", {run}, "all"});
    std::vector<Patient> patients;
    for (const Json &one : examined)
        patients.push_back(read_patient(one, nullptr));
    probe_in_turn(run_dir, run, patients);
    std::this_thread::sleep_until(begun + kListening);
    const Json heard = ask_nodes(run_dir, {"heard", {run}, "all"});
    for (std::size_t i = 0; i < patients.size(); ++i) {
        Patient &patient = patients[i];
        const Json *reply = reply_of(heard, examined[i].at("id"));
        Patient whole = read_patient(examined[i], reply ? *reply : Json());
        std::tie(whole.has_sent, whole.asked_gateway, whole.clock_from_ms, whole.clock_to_ms) =
            std::tie(patient.has_sent, patient.asked_gateway, patient.clock_from_ms,
                     patient.clock_to_ms);
        whole.here = here == examined[i].at("id");
        patient = std::move(whole);
    }
    return patients;
}

} // namespace agent
