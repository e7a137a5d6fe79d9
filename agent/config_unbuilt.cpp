// SPDX-License-Identifier: Apache-2.0
//
// What the schema knows and the product does not do yet: one line for each key, with the values
// that do work. Such a setting is refused by name, for a load balancer that ignores one is not the
// one that was asked for. Whoever builds one deletes its line, or adds a word to it.
#include "agent/config_read.hpp"

#include <algorithm>

namespace agent {
namespace {

struct Limit {
    std::string_view section;
    std::string_view key;
    std::vector<std::string_view> built; // empty: no value of this key works yet
};

const Limit kLimits[] = {
    {"metrics", "listen", {}},
};

void refuse_beyond(const Limit &limit, const Field &field) {
    if (limit.built.empty()) field.refuse("not built yet: must be left out for now");
    const std::string &word = field.value->text;
    if (std::find(limit.built.begin(), limit.built.end(), word) == limit.built.end())
        field.refuse(quoted(word) + " is not built yet: only " + one_of(limit.built) + " for now");
}

void check(const Limit &limit, const Section &table) {
    if (const auto field = table.find(limit.key)) refuse_beyond(limit, *field);
}

} // namespace

void refuse_unbuilt(const TomlValue &tree, const std::string &file) {
    const Section root(Field{file, "", &tree});
    for (const Limit &limit : kLimits) {
        const auto field = root.find(limit.section);
        if (!field) continue;
        if (field->value->kind == TomlValue::Kind::array)
            for (const Field &entry : tables(*field))
                check(limit, Section(entry));
        else
            check(limit, Section(*field));
    }
}

} // namespace agent
