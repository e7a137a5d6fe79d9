// SPDX-License-Identifier: Apache-2.0
// The codes of `explain` in sentences. A code without one is shown as it is.
#include "agent/nlbctl/render.hpp"

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
    {"no_lease", "this node has no right to serve at present"},
    {"unhealthy", "unhealthy: this node finds that the service does not work (see nlbctl rules)"},
    {"all_unhealthy", "unhealthy on every member; when_all_down says what then"},
    {"own_address", "from an address of this host: what it sends to a virtual IP itself, it serves "
                    "itself, and the filter never sees it"},
    {"guarded", "guarded: a peer may still hold connections in this bucket's group; a new one is "
                "taken, any other packet only with a socket here"},
    {"lingering", "lingering: connections of this bucket's group may still be open here; they go "
                  "on, new ones belong to the owner"},
};

const Words kReasons = {
    {"accepted", "this node serves the bucket"},
    {"accepted_guarded", "this node serves the bucket and has the connection"},
    {"accepted_lingering", "the bucket has moved, but the connection is still here"},
    {"icmp_error", "an ICMP error goes to every node"},
    {"later_fragment", "a later fragment goes to every node that has not dropped the first"},
    {"not_ip", "neither IPv4 nor IPv6"},
    {"too_short", "the frame is too short"},
    {"not_virtual_ip", "not for a virtual IP"},
    {"neighbour_discovery", "neighbour discovery is answered by the agent"},
    {"foreign", "another node serves the bucket"},
    {"foreign_fragment", "the first fragment of its datagram was dropped"},
    {"no_owner", "nobody serves the bucket"},
    {"refused", "nobody serves the bucket, and this node tells the client so"},
    {"rule_disabled", "the rule is disabled"},
    {"no_listener", "nobody listens there any more: another node is about to take it"},
    {"guarded", "the connection is not here, and the bucket's former owner may have it"},
    {"lingering_syn", "the bucket has moved: its new owner takes new connections"},
    {"lingering_no_socket", "the bucket has moved, and the connection is not here"},
    {"lease_expired", "this node's right to serve has run out"},
    {"ip_header", "the IP header is wrong"},
    {"ip_length", "the IP length is wrong"},
    {"too_many_headers", "too many IPv6 extension headers"},
    {"header_too_deep", "a header is out of reach"},
    {"truncated", "a header is cut off"},
    {"tcp_header", "the TCP header is wrong"},
    {"udp_length", "the UDP length is wrong"},
    {"icmp_quote", "an ICMP error about something that was not sent from here"},
    {"unfiltered", "the XDP program has not seen it"},
    {"capture_full", "frames came faster than they could be judged"},
    {"capture_cut", "it is longer than a capture holds"},
    {"tap_refused", "the TAP device did not take it"},
};

std::string sentence(const Words &words, const std::string &code) {
    const auto found = words.find(code);
    return found == words.end() ? code : found->second;
}

std::string line(std::string label, const std::string &text) {
    label.resize(12, ' ');
    return "  " + label + text + "\n";
}

// "foreign" and "lingering_syn" speak of an owner, but what was last installed may have had one.
std::string reason_text(const Json &told) {
    const std::string reason = told["reason"];
    const bool of_owner = reason == "foreign" || reason == "lingering_syn";
    return sentence(kReasons, of_owner && told["owner"].is_null() ? "no_owner" : reason);
}

std::string rule_text(const Json &told) {
    if (told["rule"].is_null()) return "none covers it";
    const std::string affinity = ", affinity " + told["affinity"].get<std::string>();
    return told["rule"].get<std::string>() + " (" + told["mode"].get<std::string>() + affinity +
           ")";
}

// "web1 weight 10, web2 weight 90"; or those that are none, with the reason.
std::string nodes_text(const Json &told, bool candidates) {
    std::string text;
    for (const Json &node : told["candidates"]) {
        if (node["left_out"].is_null() != candidates) continue;
        text += text.empty() ? "" : candidates ? ", " : "; ";
        text += node["name"].get<std::string>();
        text += candidates ? " weight " + node["weight"].dump()
                           : ": " + node["left_out"].get<std::string>();
    }
    return text;
}

std::string name_of(const Json &told, const Json &id) {
    for (const Json &node : told["candidates"])
        if (node["id"] == id) return node["name"];
    return id.dump();
}

} // namespace

std::string packet_reason(const std::string &reason) {
    const auto found = kReasons.find(reason);
    return found == kReasons.end() ? "" : found->second;
}

std::string render_explanation(const Json &told) {
    const std::string flags = told["flags"].is_null() ? "" : told["flags"];
    const std::string packet = flags.empty() ? ""
                               : flags == "syn" ? ", opening a connection (SYN)"
                                                : ", of an open connection (ACK)";
    std::string text = told["protocol"].get<std::string>() + " " +
                       told["source"].get<std::string>() + " to " +
                       told["destination"].get<std::string>() + packet + "\n\n";
    text += line("rule", rule_text(told));
    if (!told["bucket"].is_null()) text += line("bucket", told["bucket"].dump() + " of 65536");
    const std::string owner = told["owner_name"].is_null() ? "nobody" : told["owner_name"];
    text += line("owner", owner + ": " + sentence(kChoices, told["why"][0]));
    if (const auto among = nodes_text(told, true); !among.empty()) text += line("among", among);
    if (const auto others = nodes_text(told, false); !others.empty())
        text += line("not", others);
    text += line("here", name_of(told, told["node"]) +
                             (told["verdict"] == "drop" ? " drops it (" : " takes it (") +
                             told["reason"].get<std::string>() + "): " + reason_text(told));
    for (std::size_t i = 1; i < told["why"].size(); ++i)
        text += line("", sentence(kCircumstances, told["why"][i]));
    return text;
}

} // namespace agent
