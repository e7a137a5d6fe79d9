// SPDX-License-Identifier: Apache-2.0
// The codes of `explain` in sentences. A code without one is shown as it is.
#include "agent/nlbctl/render.hpp"

#include "filter/verdict/reasons.hpp"

#include <map>

namespace agent {
namespace {

using Words = std::map<std::string, std::string>;

const Words kChoices = {
    {"highest_score", "the highest score for this bucket, by weight"},
    {"priority", "the first of the rule's priority list that can serve"},
    {"lowest_id", "mode single: the lowest id that can serve"},
    {"default_host", "no rule covers it: the lowest id that can serve is the default host"},
    {"no_eligible_node", "no node can serve it"},
    {"rule_disabled", "the rule's mode is disabled"},
};

const Words kCircumstances = {
    {"view_not_installed", "the newest view is not served yet: some member has not let go so far"},
    {"no_lease", "this node has no right to serve now"},
    {"unhealthy", "unhealthy: this node finds that the service does not work (see nlbctl rules)"},
    {"all_unhealthy", "unhealthy on every member; when_all_down says what then"},
    {"own_address", "from an address of this host: what it sends to a virtual IP itself, it serves "
                    "itself, and the filter never sees it"},
    {"guarded", "guarded: a peer may still hold connections in this bucket's group; a new one is "
                "taken, any other packet only with a socket here"},
    {"lingering", "lingering: connections of this bucket's group may still be open here; they go "
                  "on, new ones belong to the owner"},
};

std::string sentence(const Words &words, const std::string &code) {
    const auto found = words.find(code);
    return found == words.end() ? code : found->second;
}

std::string line(std::string label, const std::string &text) {
    label.resize(12, ' ');
    return "  " + label + text + "\n";
}

// "foreign" and "lingering_syn" imply an owner, but only the tables installed last may have had one.
std::string reason_text(const Json &told) {
    const std::string reason = told.at("reason");
    const bool of_owner = reason == "foreign" || reason == "lingering_syn";
    const std::string code = of_owner && told.at("owner").is_null() ? "no_owner" : reason;
    const std::string_view meaning = filter::meaning(code);
    return meaning.empty() ? code : std::string(meaning);
}

std::string rule_text(const Json &told) {
    if (told.at("rule").is_null()) return "none covers it";
    const std::string affinity = ", affinity " + told.at("affinity").get<std::string>();
    return told.at("rule").get<std::string>() + " (" + told.at("mode").get<std::string>() + affinity +
           ")";
}

// "web1 weight 10, web2 weight 90"; or those that are none, with the reason.
std::string nodes_text(const Json &told, bool candidates) {
    std::string text;
    for (const Json &node : told.at("candidates")) {
        if (node.at("left_out").is_null() != candidates) continue;
        text += text.empty() ? "" : candidates ? ", " : "; ";
        text += node.at("name").get<std::string>();
        text += candidates ? " weight " + node.at("weight").dump()
                           : ": " + node.at("left_out").get<std::string>();
    }
    return text;
}

std::string name_of(const Json &told, const Json &id) {
    for (const Json &node : told.at("candidates"))
        if (node.at("id") == id) return node.at("name");
    return id.dump();
}

} // namespace

std::string render_explanation(const Json &told) {
    const std::string flags = told.at("flags").is_null() ? "" : told.at("flags");
    const std::string packet = flags.empty() ? ""
                               : flags == "syn" ? ", opening a connection (SYN)"
                                                : ", of an open connection (ACK)";
    std::string text = told.at("protocol").get<std::string>() + " " +
                       told.at("source").get<std::string>() + " to " +
                       told.at("destination").get<std::string>() + packet + "\n\n";
    text += line("rule", rule_text(told));
    if (!told.at("bucket").is_null()) text += line("bucket", told.at("bucket").dump() + " of 65536");
    const std::string owner = told.at("owner_name").is_null() ? "no node" : told.at("owner_name");
    text += line("owner", owner + ": " + sentence(kChoices, told.at("why").at(0)));
    if (const auto among = nodes_text(told, true); !among.empty()) text += line("among", among);
    if (const auto others = nodes_text(told, false); !others.empty())
        text += line("not", others);
    text += line("here", name_of(told, told.at("node")) +
                             (told.at("verdict") == "drop" ? " drops it (" : " takes it (") +
                             told.at("reason").get<std::string>() + "): " + reason_text(told));
    for (std::size_t i = 1; i < told.at("why").size(); ++i)
        text += line("", sentence(kCircumstances, told.at("why").at(i)));
    return text;
}

} // namespace agent
