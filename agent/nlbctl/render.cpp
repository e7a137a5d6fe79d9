// SPDX-License-Identifier: Apache-2.0
// The order of a reader's questions: am I well, who is with me, what do we serve, what happens to
// the packets.
#include "agent/nlbctl/render.hpp"

#include "agent/base/clock.hpp"
#include "agent/nlbctl/table.hpp"
#include "agent/nlbctl/words.hpp"
#include "filter/verdict/reasons.hpp"

#include <cstdint>
#include <cstdio>

namespace agent {
namespace {

std::string header(const Json &status, bool colour) {
    const std::string state = status["state"];
    const Json &datapath = status["datapath"];
    const auto label = [&](const std::string &text) { return paint(text, Colour::dim, colour); };
    std::string line = label("cluster ") + paint(status["cluster"], Colour::bold, colour);
    line += label("   node ") + paint(status["node"]["name"], Colour::bold, colour) + " (" +
            status["node"]["id"].dump() + ")";
    line += label("   state ") + paint(state, colour_of_state(state), colour);
    line += label("   view ") + view_text(status["view"], state);
    line += label("   leader ") + name_of(status, status["view"]["leader"]);
    line += label("   datapath ") + text_of(datapath["kind"], "") + " " +
            text_of(datapath["mode"], "") + " on " + text_of(datapath["interface"], "");
    const Json web = status.value("web", Json());
    if (!web.is_null()) line += label("   page ") + "http://" + text_of(web["listen"], "") + "/";
    if (!status["reason"].is_null())
        line.append("\n").append(label("not serving: ")).append(text_of(status["reason"], ""));
    for (const Json &problem : status.value("problems", Json::array()))
        if (!problem["serious"]) // else it is why the node does not serve
            line += "\n" + paint("problem: ", Colour::yellow, colour) + text_of(problem["text"], "") +
                    "; " + text_of(problem["way_out"], "");
    if (status["reload"]["staged"])
        line.append("\n").append(label("configuration: ")).append(waiting_text(status["reload"]));
    return line + "\n";
}

// Drops that happened, but for those that are shown anyway: "no_owner 3, guarded 1".
std::string other_drops(const Json &counters) {
    std::string text;
    for (const auto &[name, count] : counters.items()) {
        if (count == 0 || !is_other_drop(name)) continue;
        if (!text.empty()) text += ", ";
        text += name + " " + count.dump();
    }
    return text.empty() ? "none" : text;
}

std::string packets(const Json &status, bool colour) {
    const Json &counters = status["counters"];
    const auto count = [&](const char *name) { return counters.value(name, std::uint64_t{0}); };
    const auto accepted =
        count("accepted") + count("accepted_guarded") + count("accepted_lingering");
    return paint("packets", Colour::dim, colour) + "  accepted " + std::to_string(accepted) +
           "   foreign " + std::to_string(count("foreign")) + "   other drops " +
           other_drops(counters) + "\n";
}

// Else nobody sees why the configuration's is not in force.
std::string ordered_weight(const Json &status) {
    const Json orders = status.value("orders", Json::object());
    return orders.value("weight", Json()).is_null() ? "" : "weight by command";
}

std::string joined(const std::string &one, const std::string &other) {
    return one + (one.empty() || other.empty() ? "" : "; ") + other;
}

std::string counted(const std::string &name, const Json &counters, bool colour,
                    std::string_view (*meaning)(std::string_view reason)) {
    Table table({{name, false}, {"", true}, {"", false}});
    for (const auto &[reason, count] : counters.items())
        table.add({{reason}, {count.dump()}, {std::string(meaning(reason)), Colour::dim}});
    return table.text(colour);
}

// `nlbctl events` for people: when, how long a view took, what happened.
Colour colour_of(const std::string &kind) {
    if (kind == "view" || kind == "leader") return Colour::plain;
    return kind == "fenced" || kind == "merge" ? Colour::red : Colour::yellow;
}

std::string took(const Json &event) {
    if (event["kind"] != "view") return "";
    if (event["overtaken"]) return "overtaken";
    if (event["took_ms"].is_null()) return "not served";
    char text[32];
    std::snprintf(text, sizeof text, "%.1f ms", event["took_ms"].get<double>());
    return text;
}

} // namespace

std::string render_members(const Json &status, bool colour) {
    Table table({{"id", true},
                 {"member", false},
                 {"state", false},
                 {"weight", true},
                 {"share", true},
                 {"", false},
                 {"last heard", true},
                 {"", false}});
    for (const Json &member : status["members"]) {
        const std::string state = member["state"];
        const double share = member["share"];
        const bool here = member["id"] == status["node"]["id"];
        table.add({{member["id"].dump()},
                   {member["name"], Colour::bold},
                   {state, colour_of_state(state)},
                   {member["weight"].dump()},
                   {percent(share)},
                   {bar(share), Colour::green},
                   {here ? "this node" : ago(member["last_heard_ms"])},
                   {here ? joined(member_reason(member), ordered_weight(status))
                         : member_reason(member),
                    Colour::yellow}});
    }
    return table.text(colour);
}

std::string render_rules(const Json &status, bool colour) {
    constexpr double kBuckets = 65536;
    Table table({{"rule", false},
                 {"protocol", false},
                 {"ports", false},
                 {"mode", false},
                 {"affinity", false},
                 {"state", false},
                 {"buckets here", true},
                 {"", true},
                 {"", false}});
    for (const Json &rule : status["rules"]) {
        const std::string state = rule_state(rule);
        table.add({{rule["name"], Colour::bold},
                   {rule["protocol"]},
                   {rule["ports"]},
                   {rule["mode"]},
                   {rule["affinity"]},
                   {state, colour_of_state(state)},
                   {rule["buckets"].dump()},
                   {percent(rule["buckets"].get<double>() / kBuckets)},
                   {text_of(rule["reason"], ""), Colour::yellow}});
    }
    return table.text(colour);
}

std::string render_counters(const Json &status, bool colour) {
    const auto unexplained = [](std::string_view) { return std::string_view(); };
    std::string text = counted("packets", status["counters"], colour, filter::meaning);
    for (const char *part : {"beats", "commands", "neighbours"})
        text += "\n" + counted(part, status[part], colour, unexplained);
    return text;
}

std::string render_status(const Json &status, bool colour) {
    return header(status, colour) + "\n" + render_members(status, colour) + "\n" +
           render_rules(status, colour) + "\n" + packets(status, colour);
}

std::string render_events(const Json &events, bool colour) {
    Table table({{"when", false}, {"served after", true}, {"what", false}});
    for (const Json &event : events)
        table.add({{local_time(std::chrono::milliseconds(event["ago_ms"].get<std::int64_t>()))},
                   {took(event)},
                   {event["text"], colour_of(event["kind"])}});
    return table.text(colour);
}

} // namespace agent
