// SPDX-License-Identifier: Apache-2.0
// The order of a reader's questions: am I well, who is with me, what do we serve, what happens to
// the packets.
#include "agent/nlbctl/render.hpp"

#include "agent/nlbctl/table.hpp"
#include "agent/nlbctl/words.hpp"
#include "filter/verdict/reasons.hpp"

#include <cstdint>
#include <cstdio>

namespace agent {
namespace {

// Where it listens on every address, at the node's name, which is the host's as a rule.
std::string page_address(const Json &status, const Json &web) {
    const std::string listen = text_of(web.at("listen"), "");
    for (const std::string_view any : {"0.0.0.0:", "[::]:"})
        if (listen.starts_with(any)) return text_of(status.at("node").at("name"), "") + ":" + listen.substr(any.size());
    return listen;
}

// What routers hear.
std::string announced(const Json &announce, bool colour) {
    const std::string since = text_of(announce.at("since"), ""), on = " on " + text_of(announce.at("device"), "");
    if (announce.at("announced")) return paint("announced: ", Colour::dim, colour) + "since " + since + on;
    return paint("not announced: ", Colour::yellow, colour) + text_of(announce.at("reason"), "");
}

std::string header(const Json &status, bool colour) {
    const std::string state = status.at("state");
    const Json &datapath = status.at("datapath");
    const auto label = [&](const std::string &text) { return paint(text, Colour::dim, colour); };
    std::string line = label("cluster ") + paint(status.at("cluster"), Colour::bold, colour);
    line += label("   node ") + paint(status.at("node").at("name"), Colour::bold, colour) + " (" +
            status.at("node").at("id").dump() + ")";
    line += label("   state ") + paint(state, colour_of_state(state), colour);
    line += label("   view ") + view_text(status.at("view"), state);
    line += label("   leader ") + name_of(status, status.at("view").at("leader"));
    line += label("\ndatapath ") + text_of(datapath.at("kind"), "") + " " +
            text_of(datapath.at("mode"), "") + " on " + text_of(datapath.at("interface"), "");
    const Json web = status.value("web", Json());
    if (!web.is_null()) line += label("   page ") + "http://" + page_address(status, web) + "/";
    if (const std::string change = last_change(status); !change.empty())
        line.append("\n").append(label("last change ")).append(change);
    if (!status.at("reason").is_null())
        line.append("\n").append(label("not serving: ")).append(text_of(status.at("reason"), ""));
    for (const Json &problem : status.value("problems", Json::array()))
        if (!problem.at("serious")) // a serious one is why the node does not serve
            line += "\n" + paint("problem: ", Colour::yellow, colour) + text_of(problem.at("text"), "") +
                    "; " + text_of(problem.at("way_out"), "");
    const Json announce = status.value("announce", Json());
    if (!announce.is_null()) line.append("\n").append(announced(announce, colour));
    if (status.at("reload").at("staged"))
        line.append("\n").append(label("configuration: ")).append(waiting_text(status.at("reload")));
    return line + "\n";
}

// Drops that happened, except those that are shown anyway: "no_owner 3, guarded 1".
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
    const Json &counters = status.at("counters");
    const auto count = [&](const char *name) { return counters.value(name, std::uint64_t{0}); };
    const auto accepted =
        count("accepted") + count("accepted_guarded") + count("accepted_lingering");
    return paint("packets", Colour::dim, colour) + "  accepted " + std::to_string(accepted) +
           "   foreign " + std::to_string(count("foreign")) +
           (count("forwarded") > 0 ? "   sent on " + std::to_string(count("forwarded")) : "") + "   other drops " +
           other_drops(counters) + "\n";
}

// Shown because it is otherwise unclear why the configured weight does not apply.
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
    if (event.at("kind") != "view") return "";
    if (event.at("overtaken")) return "overtaken";
    if (event.at("took_ms").is_null()) return "not served";
    char text[32];
    std::snprintf(text, sizeof text, "%.1f ms", event.at("took_ms").get<double>());
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
    for (const Json &member : status.at("members")) {
        const std::string state = member.at("state");
        const double share = member.at("share");
        const bool here = member.at("id") == status.at("node").at("id");
        table.add({{member.at("id").dump()},
                   {member.at("name"), Colour::bold},
                   {state, colour_of_state(state)},
                   {member.at("weight").dump()},
                   {percent(share)},
                   {bar(share), Colour::green},
                   {here ? "this node" : ago(member.at("last_heard_ms"))},
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
    for (const Json &rule : status.at("rules")) {
        const std::string state = rule_state(rule);
        table.add({{rule.at("name"), Colour::bold},
                   {rule.at("protocol")},
                   {rule.at("ports")},
                   {rule.at("mode")},
                   {rule.at("affinity")},
                   {state, colour_of_state(state)},
                   {rule.at("buckets").dump()},
                   {percent(rule.at("buckets").get<double>() / kBuckets)},
                   {text_of(rule.at("reason"), ""), Colour::yellow}});
    }
    return table.text(colour);
}

std::string render_counters(const Json &status, bool colour) {
    const auto unexplained = [](std::string_view) { return std::string_view(); };
    std::string text = counted("packets", status.at("counters"), colour, filter::meaning);
    for (const char *part : {"beats", "commands", "neighbours"})
        text += "\n" + counted(part, status.at(part), colour, unexplained);
    return text;
}

std::string render_status(const Json &status, bool colour) {
    return header(status, colour) + "\n" + render_members(status, colour) + "\n" +
           render_rules(status, colour) + "\n" + packets(status, colour);
}

std::string render_events(const Json &events, bool colour) {
    Table table({{"when", false}, {"served after", true}, {"what", false}});
    for (const Json &event : events)
        table.add({{when(event)},
                   {took(event)},
                   {event.at("text"), colour_of(event.at("kind"))}});
    return table.text(colour);
}

} // namespace agent
