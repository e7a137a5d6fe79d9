// SPDX-License-Identifier: Apache-2.0
// See the header.
#include "agent/nlbctl/nodes.hpp"

#include "agent/base/printable.hpp"
#include "agent/control/client.hpp"

#include <unistd.h>

#include <fstream>
#include <map>
#include <ostream>
#include <thread>

namespace agent {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kDeepest = 32; // of JSON in JSON
constexpr auto kPatience = 9s; // the agent itself waits for other nodes, and then says which

// The user behind the command, for the log of the nodes that carry it out: the user ID and the login user ID.
std::string who() {
    std::string text = "user " + std::to_string(getuid());
    std::ifstream file("/proc/self/loginuid");
    constexpr auto kNone = static_cast<uid_t>(-1);
    if (uid_t login = kNone; file >> login && login != kNone && login != getuid())
        text += ", logged in as " + std::to_string(login);
    return text;
}
const std::string kWho = who(); // before it becomes the agent's user

std::string left_text(const Json &state) {
    const std::string word = state.at("state");
    const Json &left = state.at("connections");
    if (word != "draining" || left.is_null()) return word;
    return "draining, " + left.dump() + (left == 1 ? " connection left" : " connections left");
}

// Whether this node still drains; its text goes to `text`.
bool drains(const Json &node, std::string &text) {
    const std::string name = node.at("name");
    if (!node.at("ok")) throw std::runtime_error("drain: " + name + ": " + std::string(node.at("error")));
    const std::string state = node.at("result").at("state");
    text = left_text(node.at("result"));
    if (state == "stopped" || state == "suspended") return false;
    if (state == "active") throw std::runtime_error("drain: cancelled by start");
    return true;
}

// Makes all texts printable, names of keys included, so that the code that shows them need not.
Json printable(const Json &told, unsigned depth) {
    if (told.is_discarded() || depth > kDeepest) throw UnknownReply();
    if (told.is_string()) return agent::printable(told.get_ref<const std::string &>());
    if (!told.is_structured()) return told;
    Json shown = told.is_array() ? Json::array() : Json::object();
    for (const auto &[key, value] : told.items())
        if (told.is_array())
            shown.push_back(printable(value, depth + 1));
        else
            shown[agent::printable(key)] = printable(value, depth + 1);
    return shown;
}

} // namespace

UnknownReply::UnknownReply()
    : std::runtime_error("read the agent's reply: not what an agent of this version sends") {}

Json ask_agent(const std::string &run_dir, const Json &question,
               std::chrono::milliseconds patience) {
    const std::string text = question.dump(-1, ' ', false, Json::error_handler_t::replace);
    return result_of(ask(run_dir, text, patience));
}

Json result_of(std::string_view text) {
    const Json reply = printable(Json::parse(text, nullptr, false), 0);
    if (reply.at("ok")) return reply.at("result");
    if (reply.at("code") == "refused") throw Denied(reply.at("error"));
    throw std::runtime_error(reply.at("error"));
}

Json ask_nodes(const std::string &run_dir, const NodeCommand &command) {
    const Json question{{"command", command.name},
                        {"args", command.args},
                        {"node", command.node},
                        {"by", kWho}};
    return ask_agent(run_dir, question, kPatience).at("nodes");
}

Json give(const std::string &run_dir, const NodeCommand &command) {
    Json nodes = Json::array();
    for (const Json &node : ask_nodes(run_dir, command)) {
        const bool done = node.at("ok");
        nodes.push_back({{"id", node.at("id")},
                         {"name", node.at("name")},
                         {"code", done ? Json("done") : node.at("code")},
                         {"error", done ? Json() : node.at("error")}});
        if (done && command.name == "reload") nodes.back()["result"] = node.at("result");
    }
    return {{"command", command.name}, {"nodes", nodes}};
}

ExitCode exit_code(const Json &given) {
    ExitCode code = kDone;
    for (const Json &node : given.at("nodes"))
        if (node.at("code") == "refused")
            code = code == kDone ? kRefused : code;
        else if (node.at("code") != "done")
            code = kFailed;
    return code;
}

std::vector<std::string> complaints(const Json &given, const NodeCommand &command) {
    std::vector<std::string> lines;
    for (const Json &node : given.at("nodes")) {
        if (node.at("code") == "done") continue;
        const std::string who = command.node.empty() ? "" : std::string(node.at("name")) + ": ";
        lines.push_back(command.name + ": " + who + std::string(node.at("error")));
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
            if (std::exchange(shown[one.at("name")], text) == text) continue;
            const std::string who = node.empty() ? "" : std::string(one.at("name")) + ": ";
            out << who << text << std::endl;
        }
        if (draining) std::this_thread::sleep_for(node.empty() ? 50ms : 250ms);
    }
}

} // namespace agent
