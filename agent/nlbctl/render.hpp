// SPDX-License-Identifier: Apache-2.0
//
// Status for people: pure functions from the JSON of status.hpp to text. The same JSON gives the
// same text.
#pragma once

#include "agent/base/json.hpp"

#include <string>

namespace agent {

// Colour never carries information of its own.
std::string render_explanation(const Json &explanation); // of `explain`
std::string render_events(const Json &events, bool colour);
// These take the whole status.
std::string render_status(const Json &status, bool colour);
std::string render_members(const Json &status, bool colour);
std::string render_rules(const Json &status, bool colour);
std::string render_counters(const Json &status, bool colour);

} // namespace agent
