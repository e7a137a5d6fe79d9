// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/words.hpp"

#include "agent/base/clock.hpp"
#include "filter/verdict/reasons.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <sstream>

namespace agent {

std::string text_of(const Json &value, const std::string &unknown) {
    if (value.is_null()) return unknown;
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string rule_state(const Json &rule) {
    const bool unhealthy = rule.at("state") == "enabled" && !rule.value("healthy", true);
    return unhealthy ? "unhealthy" : rule.at("state").get<std::string>();
}

std::string member_reason(const Json &member) {
    std::string text = text_of(member.at("reason"), "");
    std::string rules;
    for (const Json &rule : member.value("unhealthy_rules", Json::array()))
        rules += (rules.empty() ? "unhealthy: " : ", ") + rule.get<std::string>();
    if (!text.empty() && !rules.empty()) text += "; ";
    return text + rules;
}

std::string wrapped(const std::string &text, std::size_t indent) {
    constexpr std::size_t kColumns = 80;
    std::string result;
    std::size_t column = indent;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
        const std::size_t width = display_width(word);
        if (column > indent && column + 1 + width > kColumns) {
            result += "\n" + std::string(indent, ' ');
            column = indent;
        } else if (column > indent) {
            result += ' ';
            ++column;
        }
        result += word;
        column += width;
    }
    return result + "\n";
}

Colour colour_of_state(const std::string &state) {
    if (state == "active" || state == "enabled") return Colour::green;
    const bool bad = state == "dead" || state == "fenced" || state == "unhealthy";
    return bad ? Colour::red : Colour::yellow;
}

std::string percent(double part) {
    char text[16];
    std::snprintf(text, sizeof text, "%.1f %%", part * 100);
    return text;
}

std::string bar(double part) {
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto length = static_cast<unsigned>(std::lround(std::clamp(part, 0.0, 1.0) * 20 * 8));
    std::string text;
    for (unsigned i = 0; i < length / 8; ++i)
        text += "█";
    return text + eighths[length % 8];
}

std::string ago(const Json &milliseconds) {
    if (milliseconds.is_null()) return "never";
    const auto count = milliseconds.get<std::int64_t>();
    if (count < 10'000) return std::to_string(count) + " ms";
    if (count < 600'000) return std::to_string(count / 1000) + " s";
    return std::to_string(count / 60'000) + " min";
}

std::string name_of(const Json &status, const Json &id) {
    for (const Json &member : status.at("members"))
        if (member.at("id") == id) return member.at("name");
    return text_of(id, "none");
}

// A node that only looks on installs nothing.
std::string view_text(const Json &view, const std::string &state) {
    const bool takes_part = state == "active" || state == "draining";
    if (view.at("term") == 0) return "none";
    return view.at("term").dump() + "." + view.at("number").dump() +
           (view.at("installed") || !takes_part ? "" : " (being installed)");
}

// The number comes from the agent, so it is limited to a plausible time.
std::string when(const Json &event) {
    constexpr double kCentury = 100 * 365.0 * 24 * 3600 * 1000;
    const double ago = std::clamp(event.at("ago_ms").get<double>(), 0.0, kCentury);
    return local_time(std::chrono::milliseconds(static_cast<std::int64_t>(ago)));
}

std::string last_change(const Json &status) {
    const Json change = status.value("last_change", Json()); // an older agent says nothing
    if (!change.is_object()) return "";
    return when(change) + ": " + text_of(change.at("cause"), "");
}

bool is_other_drop(const std::string &counter) {
    return filter::importance(counter) != filter::Importance::ordinary;
}

std::string in_force_text(const Json &reload) {
    if (reload.value("removed", false))
        return "no longer listed, and out of the cluster; type systemctl disable --now nlbd there, or list it "
               "again and reload the others, then that node";
    std::string keys;
    for (const Json &key : reload.value("restart", Json::array())) // an older agent says nothing
        keys += (keys.empty() ? "" : ", ") + std::string(key);
    return "in force" + (keys.empty() ? "" : "; waits for a restart of nlbd here: " + keys);
}

std::string waiting_text(const Json &reload) {
    const Json &others = reload.at("staged_another");
    std::string text;
    for (const Json &name : reload.at("waiting_for"))
        text += (text.empty() ? "" : ", ") + std::string(name) +
                (std::ranges::count(others, name) ? " (has staged another)" : "");
    return "staged; waits for " + (text.empty() ? "the leader" : text);
}

} // namespace agent
