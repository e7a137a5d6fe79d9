// SPDX-License-Identifier: Apache-2.0
//
// What `nlbctl doctor` has asked all nodes for (see report/examination.hpp), as records: from here
// on nothing is text of another process but what people read, and that is printable().
#pragma once

#include "agent/base/json.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace agent {

struct SeenInterface {
    std::string name, mac;
    bool there = false, running = false;
    std::uint64_t mtu = 0;
    int rp_filter = 0;
};

struct SeenProblem {
    std::string name, text, way_out;
    bool serious = false;
};

// What a node says of itself.
struct Facts {
    std::string version, state, reason, datapath, cluster_mac, group;
    std::vector<SeenProblem> problems;
    SeenInterface clients;
    std::vector<SeenInterface> heartbeats;
    bool floods = true; // delivery; false: clients' frames go to the receivers' own MAC addresses
    std::set<int> families; // 4, 6: of the virtual IPs
    std::set<std::string> without_address; // nodes that are sent beats by multicast alone
    std::uint64_t port = 0, control_port = 0;
    std::optional<std::string> gateway;
    std::map<std::string, std::string> macs;     // of all its interfaces, by MAC
    std::map<std::string, std::string> sections; // of the configuration: digests by name
    using Translations = std::vector<std::pair<std::string, std::string>>;
    std::optional<Translations> translations; // rule and line; nothing: not known
};

// What it heard in the run.
struct Earful {
    std::map<std::pair<std::string, unsigned>, std::set<std::string>>
        probes;                                              // kinds, by interface and sender
    std::set<unsigned> beats;                                // on the wire, by sender
    std::map<std::string, std::string> refused_beats;        // reason by address
    std::map<std::string, std::uint64_t> refused;            // probes, by reason
    std::vector<std::pair<std::string, std::string>> claims; // address and MAC
    std::vector<std::tuple<std::string, std::string, std::uint64_t>>
        questions; // asker, address, how often
    std::uint64_t echoes = 0;
    std::set<std::string> cluster_echoes; // MAC addresses
    std::map<unsigned, std::optional<std::int64_t>>
        members; // ms since the agent took in a beat, by sender
};

struct Patient {
    unsigned id = 0;
    std::string name;
    bool here = false;       // it is the local one
    std::string code, error; // of why it does not answer; empty: it does
    std::optional<Facts> facts;
    std::optional<Earful> heard;
    bool has_sent = false;
    bool asked_gateway = false;
    std::int64_t clock_from_ms = 0,
                 clock_to_ms = 0; // its clock less this host's is between these two

    bool answers() const { return facts && heard; }
};

// Asks all nodes, three steps, the second one in turn: some seconds. Throws as ask_agent.
std::vector<Patient> do_rounds(const std::string &run_dir);

// From the replies of one node, null for a step that it has not done. A reply of unknown form
// leaves the patient without facts, and with an error.
Patient read_patient(const Json &examined, const Json &heard);

} // namespace agent
