// SPDX-License-Identifier: Apache-2.0
// nlbd as a function, so that tests can call it.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace agent {

// args without the program's name. Returns the exit code: 0, 1 (any failure, one line on err), 2
// (usage).
int run_nlbd(const std::vector<std::string> &args, std::ostream &out, std::ostream &err);

} // namespace agent
