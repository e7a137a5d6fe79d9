// SPDX-License-Identifier: Apache-2.0
// What a verdict's reason is called, how much it matters and what it means: layout.h says each once.
#pragma once

#include <cstdint>
#include <string_view>

namespace filter {

enum class Importance {
    ordinary, // the daily life of a cluster
    notable,  // counted, and shown as what went wrong
    fault,    // worth a line in the log, too
};

std::string_view reason_name(std::uint32_t reason); // "unknown": there is no such reason
bool drops(std::uint32_t reason);

// By that name; of one that is unknown: nothing, and notable.
std::string_view meaning(std::string_view reason);
Importance importance(std::string_view reason);

} // namespace filter
