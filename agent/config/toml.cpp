// SPDX-License-Identifier: Apache-2.0
//
// Copying out of toml++ costs little and keeps it in this one file. toml++ 3.3 asserts, wrongly,
// that a key follows every `[`, and with NDEBUG it even lets clang optimise on that. Its assertions
// are off here, always: the parser behind them checks again and reports an ordinary error.
#include "agent/config/toml.hpp"

#include "agent/config/scan.hpp"

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

Place place_of(const toml::source_position &position) {
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

void refuse_config(const std::string &file, Place place, const std::string &key,
                   const std::string &what) {
    throw std::runtime_error(file + ':' + std::to_string(place.line) + ':' +
                             std::to_string(place.column) + ": " + key + ": " + what);
}

} // namespace agent
