// SPDX-License-Identifier: Apache-2.0
//
// Copying out of toml++ costs little and keeps it in this one file. toml++ 3.3 asserts, wrongly,
// that a key follows every `[`, and with NDEBUG it even lets clang optimise on that. Its assertions
// are off here, always: the parser behind them checks again and reports an ordinary error.
#include "agent/config/toml.hpp"

#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_MAX_NESTED_VALUES 8
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace agent {
namespace {

// The deepest value of the schema: rule, one of them, health, command, a word.
constexpr unsigned kMaxDepth = 5;

Position place_of(const toml::source_position &position) {
    return {std::max<unsigned>(position.line, 1), std::max<unsigned>(position.column, 1)};
}

TomlValue::Kind kind_of(const toml::node &node) {
    switch (node.type()) {
    case toml::node_type::string:
        return TomlValue::Kind::string;
    case toml::node_type::integer:
        return TomlValue::Kind::integer;
    case toml::node_type::floating_point:
        return TomlValue::Kind::floating;
    case toml::node_type::boolean:
        return TomlValue::Kind::boolean;
    case toml::node_type::array:
        return TomlValue::Kind::array;
    case toml::node_type::table:
        return TomlValue::Kind::table;
    default:
        return TomlValue::Kind::date; // a date, a time or both
    }
}

TomlValue copy(const toml::node &node, unsigned depth) {
    TomlValue value;
    value.kind = kind_of(node);
    value.place = place_of(node.source().begin);
    if (const auto *text = node.as_string()) value.text = text->get();
    if (const auto *number = node.as_integer()) value.number = number->get();
    if (depth == kMaxDepth) return value;
    if (const toml::array *array = node.as_array())
        for (const toml::node &item : *array)
            value.items.push_back(copy(item, depth + 1));
    if (const toml::table *table = node.as_table())
        for (const auto &[key, child] : *table)
            value.members.push_back(
                {std::string(key.str()), place_of(key.source().begin), copy(child, depth + 1)});
    std::sort(value.members.begin(), value.members.end(),
              [](const auto &a, const auto &b) { return a.place < b.place; });
    return value;
}

// toml++ 3.3 has two weak spots. It accepts `a.a.a.a...` of any length and takes such a tree apart
// by recursion, one stack frame or more a level: a limit on the length of a line keeps the depth
// far below what a stack holds. And where it looks for white space a letter such as é leads it into
// undefined behaviour: outside of strings and comments, where TOML 1.0 has no use for one, and in a
// string in """ behind a backslash that joins lines. So this refuses it there first.
constexpr std::size_t kMaxLine = 4000; // bytes; the longest line of a full configuration has under 2,500

// Walks over the text, stepping from one place outside of strings and comments to the next.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : text_(text) {
        if (text_.starts_with("\xef\xbb\xbf"))
            start_ = at_ = 3; // a byte order mark is not a character
    }

    bool at_end() const { return at_ >= text_.size(); }
    bool outside_ascii() const { return is_outside_ascii(at_); }

    void step() {
        const char c = text_[at_];
        if (c == '#')
            at_ = text_.find('\n', at_);
        else if ((c == '"' || c == '\'') && may_open())
            skip_string(c);
        else
            ++at_;
        at_ = std::min(at_, text_.size());
    }

    Position place() const {
        const std::string_view before = text_.substr(0, at_);
        const std::size_t line = before.rfind('\n') + 1; // 0 in the first line
        const auto is_first_byte = [](char c) {
            return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
        };
        return {static_cast<unsigned>(1 + std::count(before.begin(), before.end(), '\n')),
                static_cast<unsigned>(
                    1 + std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line),
                                      before.end(), is_first_byte))};
    }

  private:
    bool is_outside_ascii(std::size_t at) const {
        return static_cast<unsigned char>(text_[at]) >= 0x80;
    }

    // A quote within a bare word opens nothing: the parser takes it for a part of that word.
    bool may_open() const {
        constexpr std::string_view before = " \t\r\n=[{,.";
        return at_ == start_ || before.find(text_[at_ - 1]) != std::string_view::npos;
    }

    // At the opening quote. A string in single quotes has no escapes, one in triple quotes may span
    // lines.
    void skip_string(char quote) {
        const std::string_view triple = quote == '"' ? R"(""")" : "'''";
        const bool multi_line = text_.substr(at_).starts_with(triple);
        for (at_ += multi_line ? 3 : 1; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\\' && quote == '"') {
                const std::size_t next = text_.find_first_not_of(" \t\r\n", at_ + 1);
                if (multi_line && next < text_.size() && is_outside_ascii(next)) {
                    at_ = next; // the place that the caller sees is outside of the string
                    return;
                }
                ++at_;
            } else if (multi_line ? text_.substr(at_).starts_with(triple)
                                  : text_[at_] == quote || text_[at_] == '\n') {
                break;
            }
        }
        ++at_;
        while (multi_line && at_ < text_.size() && text_[at_] == quote)
            ++at_; // up to two quotes may stand before the closing three
    }

    std::string_view text_;
    std::size_t start_ = 0, at_ = 0;
};

void check_lines(const std::string &text, const std::string &file) {
    unsigned line = 1;
    for (std::size_t begin = 0; begin < text.size(); ++line) {
        const std::size_t end = std::min(text.find('\n', begin), text.size());
        if (end - begin > kMaxLine)
            refuse_config(file, {line, 1}, "syntax",
                          "the line is too long, must be at most " + std::to_string(kMaxLine) +
                              " bytes");
        begin = end + 1;
    }
}

void scan_toml(const std::string &text, const std::string &file) {
    if (text.size() > kMaxConfigSize)
        refuse_config(file, {}, "syntax",
                      "the file is too large, must be at most " + std::to_string(kMaxConfigSize) +
                          " bytes");
    check_lines(text, file);
    for (Scanner scanner(text); !scanner.at_end(); scanner.step())
        if (scanner.outside_ascii())
            refuse_config(
                file, scanner.place(), "syntax",
                "a character outside of ASCII, must be in a comment or a string, and there not "
                "right behind a \\");
}

} // namespace

const TomlValue::Member *TomlValue::find(std::string_view key) const {
    for (const Member &member : members)
        if (member.key == key) return &member;
    return nullptr;
}

TomlValue parse_toml(const std::string &text, const std::string &file) {
    scan_toml(text, file);
    try {
        TomlValue root = copy(toml::parse(text), 0);
        root.place = {};
        return root;
    } catch (const toml::parse_error &error) {
        std::string what(error.description());
        std::replace_if(
            what.begin(), what.end(), [](unsigned char c) { return c < ' ' || c == 127; }, '?');
        refuse_config(file, place_of(error.source().begin), "syntax", what);
    }
}

std::string toml_string(std::string_view text) {
    std::string out = "\"";
    char escape[8];
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
        if (c == '"' || c == '\\') {
            out += {'\\', text[i]};
        } else if (c < ' ' || c == 127) {
            std::snprintf(escape, sizeof escape, "\\u%04X", c);
            out += escape;
        } else if (c == 0xc2 && next >= 0x80 &&
                   next < 0xa0) { // U+0080 to U+009F: control characters too
            std::snprintf(escape, sizeof escape, "\\u%04X", next);
            out += escape;
            ++i;
        } else {
            out += text[i];
        }
    }
    return out + '"';
}

void refuse_config(const std::string &file, Position place, const std::string &key,
                   const std::string &what) {
    throw std::runtime_error(file + ':' + std::to_string(place.line) + ':' +
                             std::to_string(place.column) + ": " + key + ": " + what);
}

} // namespace agent
