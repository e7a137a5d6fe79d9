// SPDX-License-Identifier: Apache-2.0
// Where the tests of the configuration find their files, how they read those of test/golden, and
// how they look at a refusal.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

inline std::filesystem::path source_dir() {
    const char *dir = std::getenv("NLBD_SOURCE_DIR");
    if (!dir) throw std::runtime_error("set NLBD_SOURCE_DIR to the root of the sources");
    return dir;
}

inline std::string read_whole(const std::filesystem::path &file) {
    std::ifstream input(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(input), {}};
}

// The lines of a configuration, and what test/golden/config.txt says can be changed in them.
class ConfigLines {
  public:
    void append(std::string_view line) { lines_.emplace_back(line); }

    void change(const std::string &what) {
        if (what.starts_with("+ ")) return add_table(what.substr(2));
        if (what.starts_with("^ ")) return void(lines_.insert(lines_.begin(), what.substr(2)));
        if (what.starts_with('"')) return replace_all(what.substr(1, what.size() - 2));
        const bool without = what.starts_with('-');
        const std::size_t end = what.find("] ") + 1; // 0: the table alone
        const Range table = find(what.substr(without, end ? end - without : std::string::npos));
        if (!end) return remove(table);
        const std::string line = what.substr(end + 1);
        std::size_t at = table.begin + 1;
        while (at < table.end && key(lines_[at]) != key(line))
            ++at;
        if (without)
            lines_.erase(lines_.begin() + offset(at));
        else if (at < table.end)
            lines_[at] = line;
        else
            lines_.insert(lines_.begin() + offset(at), line);
    }

    std::string text() const {
        std::string all;
        for (const std::string &line : lines_)
            all += line + '\n';
        if (!whole_line_) all.pop_back();
        return all;
    }

  private:
    struct Range {
        std::size_t begin, end; // its header; behind its last line
    };
    static std::ptrdiff_t offset(std::size_t at) { return static_cast<std::ptrdiff_t>(at); }
    static std::string key(const std::string &line) { return line.substr(0, line.find_first_of(" =")); }

    Range find(const std::string &header) const {
        std::size_t begin = lines_.size();
        while (begin > 0 && lines_[begin - 1] != header)
            --begin;
        if (begin == 0) throw std::runtime_error("no table to change: " + header);
        std::size_t end = begin--;
        while (end < lines_.size() && !lines_[end].empty() && lines_[end][0] != '[')
            ++end;
        return {begin, end};
    }
    void remove(Range table) { // with the empty line between it and the next, or the one before
        if (table.end < lines_.size())
            ++table.end;
        else if (table.begin > 0)
            --table.begin;
        lines_.erase(lines_.begin() + offset(table.begin), lines_.begin() + offset(table.end));
    }
    void add_table(std::string_view all) {
        append("");
        for (std::size_t end = 0; end != std::string_view::npos; all.remove_prefix(end + 3)) {
            end = all.find(" / ");
            append(all.substr(0, end));
            if (end == std::string_view::npos) return;
        }
    }
    void replace_all(std::string_view escaped) {
        lines_.clear();
        std::string line;
        for (std::size_t at = 0; at < escaped.size(); ++at) {
            const char mark = escaped[at] == '\\' ? escaped[at + 1] : '\0';
            if (mark == 'n')
                append(line), line.clear();
            else if (mark == 'x')
                line += static_cast<char>(std::stoi(std::string(escaped.substr(at + 2, 2)), nullptr, 16));
            else
                line += mark ? mark : escaped[at];
            at += mark == 'x' ? 3 : mark ? 1 : 0;
        }
        whole_line_ = line.empty() && !escaped.empty();
        if (!whole_line_) append(line);
    }

    std::vector<std::string> lines_;
    bool whole_line_ = true; // the last one ends
};

struct GoldenConfig {
    std::string file, text, message; // file: the name that the message begins with
};

inline std::vector<GoldenConfig> golden_configs() {
    std::ifstream input(source_dir() / "test/golden/config.txt", std::ios::binary);
    std::vector<GoldenConfig> found;
    ConfigLines base, changed;
    for (std::string line; std::getline(input, line);) {
        if (line.empty() || line.starts_with('#')) continue;
        if (line.starts_with('|')) {
            base.append(std::string_view(line).substr(line.size() > 1 ? 2 : 1));
        } else if (!line.starts_with("  ")) {
            found.push_back({line + ".toml", "", ""});
            changed = base;
        } else if (line.starts_with("  = ")) {
            found.back().text = changed.text();
            found.back().message = found.back().file + ':' + line.substr(4);
        } else {
            changed.change(line.substr(2));
        }
    }
    return found;
}

// What the action throws as a std::runtime_error; empty when it throws nothing.
template <class Action>
std::string message_of(Action action) {
    try {
        action();
    } catch (const std::runtime_error &error) {
        return error.what();
    }
    return "";
}
