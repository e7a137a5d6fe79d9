// SPDX-License-Identifier: Apache-2.0
// What both programs have in common: their exit codes, and how a failure is said.
#pragma once

#include <string>

namespace agent {

enum ExitCode : int { kDone = 0, kFailed = 1, kUsage = 2, kNoAgent = 3, kRefused = 4 };

// One line, newline included: "nlbd: verb object: cause". What is about a place in `file` begins
// with that place, as compilers say it and editors find it: "FILE:LINE:COLUMN: KEY: ...".
std::string error_line(const std::string &program, const std::string &error,
                       const std::string &file);

} // namespace agent
