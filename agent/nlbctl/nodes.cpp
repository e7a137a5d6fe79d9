// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "agent/nlbctl/nodes.hpp"

#include "agent/control/client.hpp"

#include <map>
#include <ostream>
#include <thread>

namespace agent {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 9s; // the agent itself waits for other nodes, and then says which

Json ask_nodes(const std::string &run_dir, const NodeCommand &command) {
    const Json question{{"command", command.name}, {"args", command.args}, {"node", command.node}};
    return ask_agent(run_dir, question, kPatience)["nodes"];
}

std::string left_text(const Json &state) {
    const std::string word = state["state"];
    const Json &left = state["connections"];
    if (word != "draining" || left.is_null()) return word;
    return "draining, " + left.dump() + (left == 1 ? " connection left" : " connections left");
}

// Whether this node still drains; its text goes to `text`.
bool drains(const Json &node, std::string &text) {
    const std::string name = node["name"];
    if (!node["ok"]) throw std::runtime_error("drain: " + name + ": " + std::string(node["error"]));
    const std::string state = node["result"]["state"];
    text = left_text(node["result"]);
    if (state == "stopped" || state == "suspended") return false;
    if (state == "active") throw std::runtime_error("drain: cancelled by start");
    return true;
}

} // namespace

Json ask_agent(const std::string &run_dir, const Json &question,
               std::chrono::milliseconds patience) {
    const std::string text = question.dump(-1, ' ', false, Json::error_handler_t::replace);
    const Json reply = Json::parse(ask(run_dir, text, patience), nullptr, false);
    if (!reply.is_object() || !reply.contains("ok"))
        throw std::runtime_error("read the agent's reply: not what an agent of this version sends");
    if (reply["ok"]) return reply["result"];
    if (reply["code"] == "refused") throw Denied(reply["error"]);
    throw std::runtime_error(reply["error"]);
}

Json give(const std::string &run_dir, const NodeCommand &command) {
    Json nodes = Json::array();
    for (const Json &node : ask_nodes(run_dir, command)) {
        const bool done = node["ok"];
        nodes.push_back({{"id", node["id"]},
                         {"name", node["name"]},
                         {"code", done ? Json("done") : node["code"]},
                         {"error", done ? Json() : node["error"]}});
        if (done && command.name == "reload") nodes.back()["result"] = node["result"];
    }
    return {{"command", command.name}, {"nodes", nodes}};
}

ExitCode exit_code(const Json &given) {
    ExitCode code = kDone;
    for (const Json &node : given["nodes"])
        if (node["code"] == "refused")
            code = code == kDone ? kRefused : code;
        else if (node["code"] != "done")
            code = kFailed;
    return code;
}

std::vector<std::string> complaints(const Json &given, const NodeCommand &command) {
    std::vector<std::string> lines;
    for (const Json &node : given["nodes"]) {
        if (node["code"] == "done") continue;
        const std::string who = command.node.empty() ? "" : std::string(node["name"]) + ": ";
        lines.push_back(command.name + ": " + who + std::string(node["error"]));
    }
    return lines;
}

void wait_for_drain(const std::string &run_dir, const std::string &node, std::ostream &out) {
    std::map<std::string, std::string> shown;
    for (bool draining = true; draining;) {
        draining = false;
        for (const Json &one : ask_nodes(run_dir, {"state", {}, node})) {
            std::string text;
            draining |= drains(one, text);
            if (std::exchange(shown[one["name"]], text) == text) continue;
            const std::string who = node.empty() ? "" : std::string(one["name"]) + ": ";
            out << who << text << std::endl;
        }
        if (draining) std::this_thread::sleep_for(node.empty() ? 50ms : 250ms);
    }
}

} // namespace agent
