// SPDX-License-Identifier: Apache-2.0
//
// JSON as the agent speaks it: keys stay in the order in which they were written.
#pragma once

#include <nlohmann/json.hpp>

namespace agent {

using Json = nlohmann::ordered_json;

} // namespace agent
