// SPDX-License-Identifier: Apache-2.0
#include "filter/verdict/reasons.hpp"

#include "filter/verdict/layout.h"

#include <algorithm>
#include <iterator>

namespace filter {
namespace {

struct Reason {
    std::string_view name;
    Importance importance;
    std::string_view meaning;
};

constexpr Importance ORDINARY = Importance::ordinary, NOTABLE = Importance::notable,
                     FAULT = Importance::fault;
constexpr Reason kReasons[] = {
#define X(name, text, importance, meaning) {text, importance, meaning},
    NLB_TAKEN(X) NLB_PASSED(X) NLB_DROPPED(X)
#undef X
};
constexpr Reason kUnknown{"unknown", NOTABLE, ""};

const Reason &find(std::string_view name) {
    const auto *found = std::ranges::find(kReasons, name, &Reason::name);
    return found == std::end(kReasons) ? kUnknown : *found;
}

} // namespace

std::string_view reason_name(std::uint32_t reason) {
    return reason < std::size(kReasons) ? kReasons[reason].name : kUnknown.name;
}

bool drops(std::uint32_t reason) { return reason > NLB_LAST_PASSED; }

std::string_view meaning(std::string_view reason) { return find(reason).meaning; }

Importance importance(std::string_view reason) { return find(reason).importance; }

} // namespace filter
