// SPDX-License-Identifier: Apache-2.0
// Anything that came from outside may hold a newline; the message stays one line all the same.
#include "agent/base/exit.hpp"

#include "agent/base/printable.hpp"

namespace agent {

std::string error_line(const std::string &program, const std::string &error,
                       const std::string &file) {
    const bool placed = !file.empty() && error.starts_with(file + ":") &&
                        error.find_first_of("0123456789", file.size() + 1) == file.size() + 1;
    return printable(placed ? error : program + ": " + error) + "\n";
}

} // namespace agent
