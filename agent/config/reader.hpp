// SPDX-License-Identifier: Apache-2.0
//
// Typed reading of a TOML tree. A Field is a value together with the name that messages give it; a
// Section is a table whose keys are asked for one by one. Every function here either returns a
// checked value or throws `FILE:LINE:COLUMN: KEY: what is wrong, what is allowed`.
//
// KEY is `cluster.name`, and where several tables share a name, that of the entry: `rule
// "http".ports`.
#pragma once

#include "agent/config/toml.hpp"
#include "filter/address.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agent {

struct Field {
    std::string file;
    std::string key;
    const TomlValue *value; // owned by the tree, which outlives all reading

    [[noreturn]] void refuse(const std::string &what) const;
};

std::string text(const Field &field, std::string_view must_be = "a string");
std::int64_t integer(const Field &field, std::int64_t lowest, std::int64_t highest);
std::size_t choice(const Field &field,
                   std::span<const std::string_view> words); // index of its word
std::vector<Field> list(const Field &field); // not empty; what is not an array is a list of one
std::vector<Field> tables(const Field &field); // of [[field]]; each is called `field "its name"`
filter::IpAddress address(const Field &field);
std::string name(const Field &field);      // of a cluster or a rule
std::string node_name(const Field &field); // refuses a name that a command would take for an id or a word
std::string interface_name(const Field &field);

bool is_name(std::string_view text);
std::string one_of(std::span<const std::string_view> words); // `"a", "b" or "c"`
std::string shown(std::string_view text);                    // quoted, and cut when it is very long

class Section {
  public:
    explicit Section(const Field &table); // refuses a value that is not a table

    void only(std::span<const std::string_view> keys) const; // refuses every other key
    std::optional<Field> find(std::string_view key) const;
    Field need(std::string_view key, std::string_view must_be) const; // refuses when it is missing

  private:
    std::string label(std::string_view key) const;
    Field table_;
};

// Refuses a value that occurred before, and names the line of the first.
class Unique {
  public:
    void claim(const Field &field, const std::string &value);

  private:
    std::map<std::string, unsigned> lines_;
};

} // namespace agent
