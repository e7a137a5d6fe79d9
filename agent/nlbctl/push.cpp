// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/push.hpp"

#include "agent/config/pushed.hpp"
#include "agent/config/toml.hpp"
#include "agent/nlbctl/nodes.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>

namespace agent {
namespace {

std::vector<std::string> lines_of(const std::string &text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        if (!line.empty()) lines.push_back(line);
    return lines;
}

// One table of the configuration: its title, and what is in it.
struct Part {
    std::string title;
    std::vector<std::string> lines;
};

std::string title_of(const std::string &header, const std::string &first) {
    const bool has_name = header.starts_with("[[");
    return has_name ? header + " " + first : header;
}

std::vector<Part> parts_of(const std::string &text) {
    std::vector<Part> parts;
    for (const std::string &line : lines_of(text)) {
        if (line.starts_with("["))
            parts.push_back({line, {}});
        else if (!parts.empty()) {
            if (parts.back().lines.empty()) parts.back().title = title_of(parts.back().title, line);
            parts.back().lines.push_back(line);
        }
    }
    return parts;
}

const Part *find(const std::vector<Part> &parts, const std::string &title) {
    const auto found = std::ranges::find(parts, title, &Part::title);
    return found == parts.end() ? nullptr : &*found;
}

// The lines of one text that the other lacks.
void add_missing(const char *sign, const Part &part, const Part *other, std::vector<std::string> &out) {
    for (const std::string &line : part.lines)
        if (!other || !std::ranges::count(other->lines, line)) out.push_back(sign + line);
}

void add_part(const Part *before, const Part *after, std::vector<std::string> &out) {
    std::vector<std::string> changed;
    if (before) add_missing("- ", *before, after, changed);
    if (after) add_missing("+ ", *after, before, changed);
    if (changed.empty()) return;
    out.push_back("  " + (before ? before : after)->title);
    out.insert(out.end(), changed.begin(), changed.end());
}

// Names of nodes that did not answer and are dead for the cluster.
std::vector<std::string> dead_among(const std::string &run_dir, const Json &given) {
    const Json status = ask_agent(run_dir, {{"command", "status"}, {"args", Json::array()}});
    std::set<std::string> dead;
    for (const Json &member : status.at("members"))
        if (member.at("state") == "dead") dead.insert(std::string(member.at("name")));
    std::vector<std::string> names;
    for (const Json &node : given.at("nodes"))
        if (node.at("code") == "no_answer" && dead.contains(std::string(node.at("name"))))
            names.push_back(node.at("name"));
    return names;
}

class Pushing {
  public:
    explicit Pushing(const PushOrder &order) : order_(order) {}

    // Without those that are passed over.
    Json give(const std::string &name, Commands::Arguments args, const std::string &node) const {
        Json given = agent::give(order_.run_dir, {name, std::move(args), node});
        Json nodes = Json::array();
        for (const Json &one : given.at("nodes"))
            if (!std::ranges::count(passed_over_, std::string(one.at("name")))) nodes.push_back(one);
        given["nodes"] = nodes;
        return given;
    }

    Json check(const std::string &text) {
        Json given = give("push", {"check", text}, order_.node);
        passed_over_ = dead_among(order_.run_dir, given);
        std::erase_if(given["nodes"].get_ref<Json::array_t &>(), [this](const Json &one) {
            return std::ranges::count(passed_over_, std::string(one.at("name"))) > 0;
        });
        given["command"] = "push check";
        return given;
    }

    // Puts the former file back on each node that has the new one, and withdraws what was staged.
    std::vector<std::string> restore(const Json &written) const {
        std::vector<std::string> restored;
        for (const Json &node : written.at("nodes")) {
            const std::string name = node.at("name");
            if (node.at("code") != "done") continue;
            const bool back = exit_code(give("push", {"undo"}, name)) == kDone;
            if (back && exit_code(give("reload", {}, name)) == kDone) restored.push_back(name);
        }
        return restored;
    }

    // Dead nodes, except those that the configuration removes.
    std::vector<std::string> passed_over(const Config &next) const {
        std::vector<std::string> names = passed_over_;
        std::erase_if(names, [&](const std::string &name) { return !std::ranges::count(next.nodes, name, &NodeConfig::name); });
        return names;
    }

  private:
    PushOrder order_;
    std::vector<std::string> passed_over_;
};

} // namespace

std::string read_to_push(const std::string &file) {
    load_config(file);
    std::string text = read_toml(file);
    if (text.size() > kMaxPushed)
        throw std::runtime_error(file + ": has more than " + std::to_string(kMaxPushed) +
                                 " bytes; copy it to each node, then nlbctl reload all");
    return text;
}

std::vector<std::string> difference(const std::string &before, const std::string &after) {
    const std::vector<Part> former = parts_of(before), next = parts_of(after);
    std::vector<std::string> lines;
    for (const Part &part : former)
        add_part(&part, find(next, part.title), lines);
    for (const Part &part : next)
        if (!find(former, part.title)) add_part(nullptr, &part, lines);
    return lines;
}

Json push(const PushOrder &order, const std::string &text, std::ostream &out) {
    const Json present = ask_agent(order.run_dir, {{"command", "configuration"}, {"args", Json::array()}});
    std::string effective;
    for (const Json &line : present.at("effective"))
        effective += std::string(line) + "\n";
    const Config next = parse_config(text, order.file);
    const auto changes = difference(effective, to_toml(next));
    for (const std::string &line : changes)
        if (!order.json) out << line << "\n";
    if (!order.json) out << std::flush;
    Pushing pushing(order);
    const auto result = [&](Json given, const std::vector<std::string> &restored = {}) {
        given["difference"] = changes;
        given["passed_over"] = pushing.passed_over(next);
        given["restored"] = restored;
        return given;
    };
    const Json checked = pushing.check(text);
    if (exit_code(checked) != kDone) return result(checked);
    Json written = pushing.give("push", {"write", text}, order.node);
    written["command"] = "push write";
    if (exit_code(written) != kDone) return result(written, pushing.restore(written));
    const Json reloaded = pushing.give("reload", {}, order.node);
    if (exit_code(reloaded) == kDone) return result(reloaded);
    return result(reloaded, pushing.restore(written));
}

} // namespace agent
