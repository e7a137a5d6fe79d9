// SPDX-License-Identifier: Apache-2.0
// nlbctl as a function: it takes its arguments and streams, so that tests can call it.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace agent {

// args without the program's name. colour: out is a terminal that wants it. Returns an ExitCode.
int run_nlbctl(const std::vector<std::string> &args, std::ostream &out, std::ostream &err,
               bool colour = false);

} // namespace agent
