// SPDX-License-Identifier: Apache-2.0
// The most important columns stand on the left: a narrow terminal cuts off the others.
#include "agent/nlbctl/watch_page.hpp"

#include "agent/nlbctl/words.hpp"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace agent {
namespace {

using Number = std::optional<double>;

// A second, between two counts; none after a restart, where they begin anew.
Number rate(const Json &before, const Json &now, double seconds) {
    if (!before.is_number() || !now.is_number() || seconds <= 0) return std::nullopt;
    const double difference = now.get<double>() - before.get<double>();
    if (difference < 0) return std::nullopt;
    return difference / seconds;
}

std::string shown(const Number &number) { return number ? rate_text(*number) : "-"; }

// Two statuses of one node.
struct Span {
    const Json &before, &now;
    double seconds;

    Number of(const Json::json_pointer &count) const {
        if (!before.contains(count) || !now.contains(count)) return std::nullopt;
        return rate(before.at(count), now.at(count), seconds);
    }
    Number counter(const std::string &reason) const {
        return of(Json::json_pointer("/counters/" + reason));
    }
    Number accepted() const {
        Number sum = counter("accepted");
        for (const char *reason : {"accepted_guarded", "accepted_lingering"})
            if (const Number more = counter(reason); sum && more) *sum += *more;
        return sum;
    }
};

std::optional<Span> span_of(const Watched &watched) {
    const auto &[before, now, trouble] = watched;
    if (!before) return std::nullopt;
    const std::chrono::duration<double> seconds = now.at - before->at;
    return Span{before->status, now.status, seconds.count()};
}

Line title(const Json &status, bool answers) {
    const std::string state = status.at("state");
    const std::string leader = name_of(status, status.at("view").at("leader"));
    const auto active = std::ranges::count(status.at("members"), "active", [](const Json &member) { return member.at("state"); });
    return {{status.at("node").at("name"), Colour::bold},
            {" "},
            answers ? Cell{state, colour_of_state(state)} : Cell{"no answer", Colour::red},
            {"   cluster "},
            {status.at("cluster"), Colour::bold},
            {"   view " + view_text(status.at("view"), state)},
            {"   leader " + leader},
            {"   " + std::to_string(active) + " of " + std::to_string(status.at("members").size()) + " active"}};
}

std::string listed(const std::vector<std::string> &names) {
    constexpr std::size_t kNamed = 6;
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kNamed); ++i)
        text += (i == 0 ? "" : ", ") + names[i];
    return names.size() <= kNamed ? text : text + " and " + std::to_string(names.size() - kNamed) + " more";
}

void add_sentence(const std::string &text, Colour colour, Page &page) {
    std::istringstream lines(wrapped(text, 2));
    for (std::string line; std::getline(lines, line);)
        page.body.push_back({{line.starts_with("  ") ? line : "  " + line, colour}});
}

// What is wrong, above the tables: their last column does not fit in a narrow terminal, and 32 members not in a low one.
void add_wrong(const Json &status, Page &page) {
    if (!status.at("reason").is_null())
        add_sentence("not serving: " + status.at("reason").get<std::string>(), Colour::yellow, page);
    for (const Json &problem : status.value("problems", Json::array()))
        if (!problem.at("serious")) // a serious one is why the node does not serve
            add_sentence("problem: " + text_of(problem.at("text"), "") + "; " + text_of(problem.at("way_out"), ""),
                         Colour::yellow, page);
    std::map<std::string, std::vector<std::string>> states, unhealthy;
    for (const Json &member : status.at("members")) {
        const std::string name = member.at("name");
        if (member.at("state") != "active" && member.at("id") != status.at("node").at("id"))
            states[member.at("state")].push_back(name);
        for (const Json &rule : member.value("unhealthy_rules", Json::array()))
            unhealthy[rule].push_back(name);
    }
    for (const auto &[state, names] : states)
        add_sentence(state + ": " + listed(names), colour_of_state(state), page);
    for (const auto &[rule, names] : unhealthy)
        add_sentence("unhealthy: " + rule + " on " + listed(names), Colour::red, page);
}

void add_members(const Watched &watched, const Json &status, Page &page) {
    Table table({{"member"},
                 {"state"},
                 {"share", true},
                 {"accepted/s", true},
                 {"weight", true},
                 {"last heard", true},
                 {""}});
    for (const Json &member : status.at("members")) {
        const std::string state = member.at("state");
        const bool self = member.at("id") == status.at("node").at("id");
        const auto span = self ? span_of(watched) : std::nullopt;
        table.add({{member.at("name"), Colour::bold},
                   {state, colour_of_state(state)},
                   {percent(member.at("share"))},
                   {span ? shown(span->accepted()) : "-"},
                   {member.at("weight").dump()},
                   {self ? "this node" : ago(member.at("last_heard_ms"))},
                   {member_reason(member), Colour::yellow}});
    }
    const std::vector<Line> lines = table.lines();
    page.body.insert(page.body.end(), lines.begin(), lines.end());
}

// One line for each rule and one for traffic that no rule covers: what this node accepted, and what it
// left to others.
void add_rules(const Watched &watched, const Json &status, Page &page) {
    const auto span = span_of(watched);
    const auto per_second = [&](const std::string &path) {
        return span ? shown(span->of(Json::json_pointer(path))) : "-";
    };
    Table table({{"rule"},
                 {"state"},
                 {"taken/s", true},
                 {"dropped/s", true},
                 {"here", true},
                 {"connections", true},
                 {""}});
    const auto add = [&](const std::string &name, const std::string &state, const Json &part,
                         const std::string &path) {
        table.add({{name, Colour::bold},
                   {state, state.empty() ? Colour::plain : colour_of_state(state)},
                   {per_second(path + "/packets/taken")},
                   {per_second(path + "/packets/dropped")},
                   {percent(part.at("buckets").get<double>() / 65536)},
                   {part.contains("connections") ? text_of(part.at("connections"), "-") : ""},
                   {part.contains("reason") && part.at("reason").is_string() ? part.at("reason") : "",
                    Colour::yellow}});
    };
    for (std::size_t i = 0; i < status.at("rules").size(); ++i) {
        const Json &rule = status.at("rules").at(i);
        add(rule.at("name"), rule_state(rule), rule, "/rules/" + std::to_string(i));
    }
    if (status.contains("uncovered")) add("uncovered", "", status.at("uncovered"), "/uncovered");
    const std::vector<Line> lines = table.lines();
    page.body.insert(page.body.end(), lines.begin(), lines.end());
}

Line packets(const Watched &watched, const Json &status) {
    const auto span = span_of(watched);
    std::string others;
    for (const auto &[reason, count] : status.at("counters").items()) {
        const double number = span ? span->counter(reason).value_or(0) : 0;
        if (is_other_drop(reason) && number > 0)
            others += (others.empty() ? "" : ", ") + reason + " " + rate_text(number);
    }
    return {{"  packets/s", Colour::dim},
            {"  accepted " + (span ? shown(span->accepted()) : "-")},
            {"   foreign " + (span ? shown(span->counter("foreign")) : "-")},
            {"   other drops " + (others.empty() ? "none" : others)}};
}

} // namespace

std::string rate_text(double per_second) {
    char text[32];
    const char *const format = per_second >= 99.95 || per_second == 0 ? "%.0f" : "%.1f";
    if (per_second < 9999.5)
        std::snprintf(text, sizeof text, format, per_second);
    else if (per_second < 999'950)
        std::snprintf(text, sizeof text, "%.1fk", per_second / 1000);
    else
        std::snprintf(text, sizeof text, "%.1fM", per_second / 1'000'000);
    return text;
}

Page watch_page(const Watched &watched) {
    const Json &status = watched.now.status;
    Page page{title(status, watched.trouble.empty()), {}};
    if (!watched.trouble.empty()) page.body.push_back({{"  " + watched.trouble, Colour::red}});
    add_wrong(status, page);
    if (const std::string change = last_change(status); !change.empty())
        page.body.push_back({{"  last change " + change, Colour::dim}});
    page.body.push_back({});
    add_members(watched, status, page);
    page.body.push_back({});
    add_rules(watched, status, page);
    page.body.push_back({});
    page.body.push_back(packets(watched, status));
    return page;
}

} // namespace agent
