// SPDX-License-Identifier: Apache-2.0
//
// The log: one line an event on standard error, `subject: event (key=value)`. The same event is
// printed a few times in ten seconds and counted from then on, so that nothing on the network can
// fill a disk.
#pragma once

#include <string>

namespace agent::log {

// Call once, when start-up has succeeded: before that there is at most one line, the error's.
void open();

void info(const std::string &line);
void warn(const std::string &line);
void error(const std::string &line);

} // namespace agent::log
