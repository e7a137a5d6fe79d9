// SPDX-License-Identifier: Apache-2.0
//
// The log: one line an event on standard error, `subject: event (key=value)`. The same event is
// printed a few times in ten seconds and counted from then on, so that nothing on the network can
// fill a disk. To the journal, lines go with their priority and without a time, which it adds itself.
//
// Logging never waits: lines that the log's reader does not take at once are dropped and counted.
#pragma once

#include <string>

namespace agent::log {

enum class Level { error, warning, info };

// Call once, when start-up has succeeded: before that there is at most one line, the error's.
void open(Level least = Level::info); // lines below it are not printed

void info(const std::string &line);
void warn(const std::string &line);
void error(const std::string &line);

// Takes effect at once; before open() it has none.
void set_level(Level least);

// Call about once a second: prints how many lines were held back, when no line like them has come since.
void tick();

} // namespace agent::log
