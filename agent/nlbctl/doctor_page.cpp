// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/doctor_page.hpp"

#include "agent/nlbctl/words.hpp"

#include <algorithm>
#include <cstdio>

namespace agent {
namespace {

constexpr std::size_t kNameColumns = 10; // a matrix of 32 columns leaves only this

struct Sign {
    std::string_view text;
    Colour colour;
    std::string_view word;    // in JSON
    std::string_view meaning; // for people
};

const Sign &sign(Hears hears) {
    static constexpr Sign signs[] = {
        {"·", Colour::dim, "itself", ""},
        {"?", Colour::yellow, "unknown", "not known"},
        {"✓", Colour::green, "all", "all is heard"},
        {"S", Colour::red, "short", "short frames only"},
        {"B", Colour::red, "broadcasts", "broadcasts, not what is for the cluster"},
        {"✗", Colour::red, "nothing", "nothing"}};
    return signs[static_cast<std::size_t>(hears)];
}

std::string padded(const std::string &text, std::size_t columns) {
    const std::string shown = clipped(text, columns);
    return shown + std::string(columns - std::min(columns, display_width(shown)), ' ');
}

std::string number(unsigned id) {
    char text[8];
    std::snprintf(text, sizeof text, "%2u", id);
    return text;
}

// The receivers' ids, upright where some have two digits.
std::string matrix_heading(const std::vector<Patient> &patients) {
    std::string tens(kNameColumns + 6, ' '), units = "  from" + std::string(kNameColumns - 2, ' ') + "to";
    bool is_upright = false;
    for (const Patient &to : patients) {
        const std::string id = number(to.id);
        is_upright = is_upright || id[0] != ' ';
        tens += std::string(" ") + id[0];
        units += std::string(" ") + id[1];
    }
    return (is_upright ? tens + "\n" : "") + units;
}

std::string matrix(const std::vector<Patient> &patients, bool colour) {
    std::string text = paint(matrix_heading(patients), Colour::dim, colour) + "\n";
    for (const Patient &from : patients) {
        std::string row = "  " + number(from.id) + " " +
                          paint(padded(from.name, kNameColumns), Colour::bold, colour) + " ";
        for (const Patient &to : patients) {
            const Sign &cell = sign(hears(from, to));
            row += " " + paint(std::string(cell.text), cell.colour, colour);
        }
        text += row + "\n";
    }
    return text;
}

// Of the signs that are there.
std::string legend(const std::vector<Patient> &patients) {
    std::set<Hears> seen;
    for (const Patient &from : patients)
        for (const Patient &to : patients)
            seen.insert(hears(from, to));
    std::string text;
    for (const Hears one : seen)
        if (one != Hears::itself)
            text += (text.empty() ? "" : "   ") + std::string(sign(one).text) + " " +
                    std::string(sign(one).meaning);
    return text.empty() ? "" : "\n  " + wrapped(text, 2);
}

std::string shown(const Finding &finding, bool colour) {
    const std::string word = finding.fault ? "fault" : "warning";
    std::string text = paint(padded(word, 9), finding.fault ? Colour::red : Colour::yellow, colour);
    text += wrapped(finding.text + " (" + finding.name + ")", 9);
    return text + "  " + paint("do:", Colour::dim, colour) + "    " + wrapped(finding.way_out, 9);
}

std::string counted(std::size_t count, const std::string &one, const std::string &many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string summary(const Consultation &consultation, bool colour) {
    const auto &findings = consultation.diagnosis.findings;
    const auto faults =
        static_cast<std::size_t>(std::ranges::count(findings, true, &Finding::fault));
    if (findings.empty() && consultation.agent)
        return paint("All well.", Colour::green, colour) + "\n";
    if (findings.empty())
        return "Nothing is in the way of a start here: systemctl start nlbd, then nlbctl doctor\n";
    const std::size_t warnings = findings.size() - faults;
    return paint(counted(faults, "fault", "faults") + ", " +
                     counted(warnings, "warning", "warnings"),
                 faults > 0 ? Colour::red : Colour::yellow, colour) +
           "\n";
}

std::string heading(const Consultation &consultation) {
    if (!consultation.agent) return "No agent answers here: this host alone has been looked at.\n";
    const auto &patients = consultation.patients;
    const auto answer =
        static_cast<std::size_t>(std::ranges::count_if(patients, &Patient::answers));
    const bool floods = std::ranges::none_of(
        patients, [](const Patient &one) { return one.facts && !one.facts->floods; });
    return (floods ? "Frames to the cluster's MAC address" : "Broadcasts") + std::string(", from node to node; ") + std::to_string(answer) +
           " of " + counted(patients.size(), "node answers", "nodes answer") + "\n\n";
}

Json matrix_json(const std::vector<Patient> &patients) {
    Json cells = Json::array();
    for (const Patient &from : patients)
        for (const Patient &to : patients)
            if (from.id != to.id)
                cells.push_back({{"from", from.id},
                                 {"to", to.id},
                                 {"heard", sign(hears(from, to)).word},
                                 {"kinds", kinds_heard(from, to)}});
    return cells;
}

Json text_or_null(const std::string &text) { return text.empty() ? Json() : Json(text); }

} // namespace

std::string render_consultation(const Consultation &consultation, bool colour) {
    const Diagnosis &diagnosis = consultation.diagnosis;
    std::string text = heading(consultation);
    if (consultation.agent)
        text += matrix(consultation.patients, colour) + legend(consultation.patients);
    for (const Finding &finding : diagnosis.findings)
        text += "\n" + shown(finding, colour);
    for (const std::string &what : diagnosis.not_checked)
        text += "\n" + paint("not known", Colour::dim, colour) + " " + wrapped(what, 10);
    return text + "\n" + summary(consultation, colour);
}

Json consultation_json(const Consultation &consultation) {
    Json nodes = Json::array(), findings = Json::array();
    for (const Patient &one : consultation.patients)
        nodes.push_back({{"id", one.id},
                         {"name", one.name},
                         {"answers", one.answers()},
                         {"error", text_or_null(one.error)},
                         {"version", one.facts ? Json(one.facts->version) : Json()},
                         {"state", one.facts ? Json(one.facts->state) : Json()},
                         {"probes_refused", one.heard ? Json(one.heard->refused) : Json()}});
    for (const Finding &one : consultation.diagnosis.findings)
        findings.push_back({{"name", one.name},
                            {"severity", one.fault ? "fault" : "warning"},
                            {"nodes", one.nodes},
                            {"text", one.text},
                            {"way_out", one.way_out}});
    return {{"agent", consultation.agent},
            {"nodes", nodes},
            {"matrix", matrix_json(consultation.patients)},
            {"findings", findings},
            {"not_checked", consultation.diagnosis.not_checked}};
}

} // namespace agent
