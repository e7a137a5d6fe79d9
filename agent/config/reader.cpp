// SPDX-License-Identifier: Apache-2.0
// What a valid value of each kind is, and the message for one that is not.
#include "agent/config/reader.hpp"

#include <algorithm>

namespace agent {
namespace {

constexpr std::size_t kMaxName = 63;      // bytes, as of one label of a host name
constexpr std::size_t kMaxInterface = 15; // IFNAMSIZ without its final zero
constexpr std::size_t kMaxShown = 80;     // bytes of a wrong value that a message repeats

bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string_view kind_name(TomlValue::Kind kind) {
    constexpr std::string_view names[] = {"a string",       "an integer", "a float", "a boolean",
                                          "a date or time", "an array",   "a table"};
    return names[static_cast<std::size_t>(kind)];
}

void require(const Field &field, TomlValue::Kind kind, std::string_view must_be) {
    if (field.value->kind != kind)
        field.refuse("is " + std::string(kind_name(field.value->kind)) + ", must be " +
                     std::string(must_be));
}

// As a person would list them: "a, b or c".
std::string enumerate(std::span<const std::string> words, std::string_view last) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) out += i + 1 < words.size() ? ", " : last;
        out += words[i];
    }
    return out;
}

} // namespace

void Field::refuse(const std::string &what) const { refuse_config(file, value->place, key, what); }

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxName && is_alnum(text[0]) &&
           std::all_of(text.begin(), text.end(),
                       [](char c) { return is_alnum(c) || c == '.' || c == '_' || c == '-'; });
}

std::string one_of(std::span<const std::string_view> words) {
    std::vector<std::string> all;
    for (std::string_view word : words)
        all.push_back(toml_string(word));
    return enumerate(all, " or ");
}

std::string shown(std::string_view text) {
    if (text.size() <= kMaxShown) return toml_string(text);
    std::size_t end = kMaxShown;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end; // not within a character
    return toml_string(text.substr(0, end)) + "...";
}

std::string text(const Field &field, std::string_view must_be) {
    require(field, TomlValue::Kind::string, must_be);
    return field.value->text;
}

std::int64_t integer(const Field &field, std::int64_t lowest, std::int64_t highest) {
    const std::string range = std::to_string(lowest) + " to " + std::to_string(highest);
    require(field, TomlValue::Kind::integer, "an integer from " + range);
    if (field.value->number < lowest || field.value->number > highest)
        field.refuse(std::to_string(field.value->number) + " is out of range, must be " + range);
    return field.value->number;
}

std::size_t choice(const Field &field, std::span<const std::string_view> words) {
    const std::string word = text(field, one_of(words));
    const auto found = std::find(words.begin(), words.end(), word);
    if (found == words.end()) field.refuse(shown(word) + " is unknown, must be " + one_of(words));
    return static_cast<std::size_t>(found - words.begin());
}

std::vector<Field> list(const Field &field) {
    if (field.value->kind != TomlValue::Kind::array) return {field};
    if (field.value->items.empty())
        field.refuse("is empty, must hold at least one entry (or leave it out)");
    std::vector<Field> items;
    for (const TomlValue &item : field.value->items)
        items.push_back({field.file, field.key, &item});
    return items;
}

std::vector<Field> tables(const Field &field) {
    const std::string header = "[[" + field.key + "]]";
    require(field, TomlValue::Kind::array, "an array of tables, each under " + header);
    std::vector<Field> entries;
    for (const TomlValue &item : field.value->items) {
        Field entry{field.file, field.key, &item};
        const TomlValue::Member *own_name = item.find("name");
        if (own_name && is_name(own_name->value.text))
            entry.key += ' ' + toml_string(own_name->value.text);
        entries.push_back(entry);
    }
    return entries;
}

filter::IpAddress address(const Field &field) {
    constexpr std::string_view must_be = "an IPv4 or IPv6 address without prefix length or zone";
    const std::string written = text(field, must_be);
    const std::optional<filter::IpAddress> parsed = filter::parse_ip(written);
    if (!parsed) field.refuse(shown(written) + " is not a valid address, must be " + std::string(must_be));
    return *parsed;
}

std::string name(const Field &field) {
    const std::string written = text(field, "a name");
    if (!is_name(written))
        field.refuse(shown(written) +
                     " is not a valid name, must be 1 to 63 letters, digits, dots, hyphens or "
                     "underscores, a letter or digit first");
    return written;
}

std::string node_name(const Field &field) {
    const std::string written = name(field);
    if (std::all_of(written.begin(), written.end(), [](char c) { return c >= '0' && c <= '9'; }))
        field.refuse(toml_string(written) +
                     " reads like an id, must hold something other than digits");
    if (written == "all" || written == "default")
        field.refuse(toml_string(written) + " is a word of nlbctl, must be another name");
    return written;
}

std::string interface_name(const Field &field) {
    const std::string written = text(field, "the name of a network interface");
    const bool fits = !written.empty() && written.size() <= kMaxInterface && written != "." &&
                      written != ".." && std::all_of(written.begin(), written.end(), [](char c) {
                          return c > ' ' && c < 127 && c != '/' && c != ':';
                      });
    if (!fits)
        field.refuse(shown(written) +
                     " is not a valid interface name, must be 1 to 15 printable characters, none "
                     "of them a space, / or :");
    return written;
}

Section::Section(const Field &table) : table_(table) {
    require(table, TomlValue::Kind::table, "a table");
}

std::string Section::label(std::string_view key) const {
    const bool bare = !key.empty() && key.size() <= kMaxName &&
                      std::all_of(key.begin(), key.end(),
                                  [](char c) { return is_alnum(c) || c == '_' || c == '-'; });
    return (table_.key.empty() ? "" : table_.key + '.') + (bare ? std::string(key) : shown(key));
}

void Section::only(std::span<const std::string_view> keys) const {
    for (const TomlValue::Member &member : table_.value->members)
        if (std::find(keys.begin(), keys.end(), member.key) == keys.end())
            refuse_config(
                table_.file, member.place, label(member.key),
                keys.size() == 1
                    ? "unknown key, the only one is " + std::string(keys[0])
                    : "unknown key, allowed are " +
                          enumerate(std::vector<std::string>(keys.begin(), keys.end()), " and "));
}

std::optional<Field> Section::find(std::string_view key) const {
    const TomlValue::Member *member = table_.value->find(key);
    if (!member) return std::nullopt;
    return Field{table_.file, label(key), &member->value};
}

Field Section::need(std::string_view key, std::string_view must_be) const {
    if (std::optional<Field> field = find(key)) return *field;
    refuse_config(table_.file, table_.value->place, label(key),
                  "missing, must be " + std::string(must_be));
}

void Unique::claim(const Field &field, const std::string &value) {
    const auto [first, fresh] = lines_.emplace(value, field.value->place.line);
    if (!fresh)
        field.refuse(value + " is already in line " + std::to_string(first->second) +
                     ", must be there only once");
}

} // namespace agent
