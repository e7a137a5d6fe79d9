// SPDX-License-Identifier: Apache-2.0
//
// TOML text as a plain tree in which every key and value knows its place in the file, so that a
// message about a wrong value can give its line and column. toml++ is behind this header and
// nowhere else.
#pragma once

#include "agent/base/file.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace agent {

inline constexpr std::size_t kMaxConfigSize =
    256 * 1024; // bytes; a full configuration is well under 200 KiB

struct Position { // both from 1
    unsigned line = 1;
    unsigned column = 1;
    auto operator<=>(const Position &) const = default;
};

struct TomlValue {
    enum class Kind { string, integer, floating, boolean, date, array, table };
    struct Member;

    Kind kind = Kind::table;
    Position place;
    std::string text;             // of a string, valid UTF-8
    std::int64_t number = 0;      // of an integer
    std::vector<TomlValue> items; // of an array
    std::vector<Member> members;  // of a table, in the order of the file

    const Member *find(std::string_view key) const;
};

struct TomlValue::Member {
    std::string key;
    Position place;
    TomlValue value;
};

// A file's whole text. Throws `read configuration FILE: cause`.
std::string read_toml(const std::string &file, const Opener &open = open_to_read);

// The whole text as one table. Throws like parse_config, with KEY `syntax`. Children deeper than
// any key of the schema are cut off: they can only be unknown.
TomlValue parse_toml(const std::string &text, const std::string &file);

// A TOML basic string with its quotes: every control character escaped, hence always one line.
std::string toml_string(std::string_view text);

// `FILE:LINE:COLUMN: KEY: what is wrong, what is allowed`
[[noreturn]] void refuse_config(const std::string &file, Position place, const std::string &key,
                                const std::string &what);

} // namespace agent
