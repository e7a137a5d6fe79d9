// SPDX-License-Identifier: Apache-2.0
// Files that are whole or not there: written beside the one that they replace, synced, then renamed over
// it. Without the sync the name could reach the disk before the content.
#pragma once

#include "filter/descriptor.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace agent {

// How a file is opened to be read: by this process, or by one that has more rights. Negative, and errno, as of open(2).
using Opener = std::function<filter::Descriptor(const std::string &file)>;
filter::Descriptor open_to_read(const std::string &file); // waits for no writer to a pipe

// The whole text, and synced. 0, or the cause as in errno: ENOSPC when only a part went in, for which
// write(2) has no error.
int write_synced(int descriptor, std::string_view text);

// Writes the text to `draft`, which the caller has opened for writing, and renames `draft` to `file`.
// Returns 0, or the cause as in errno: then the draft is removed and the file unchanged.
int replace_synced(const std::string &file, const std::string &draft, int descriptor,
                   std::string_view text);

// The whole text of a file of at most 64 KiB; nothing: there is none. Throws std::runtime_error, the cause.
std::optional<std::string> read_text(const std::string &file);

// Files of a directory that is made when it is missing. They throw std::runtime_error, the cause, with everything as it
// was. Once that is done which is asked for, what fails is a doubt whether it outlives a loss of power: that error as in
// errno, else 0.
int replace_in(const std::string &directory, const std::string &file, std::string_view text);
int remove_in(const std::string &directory, const std::string &file);
// The names in it outlive a loss of power from now on. Throws in the same way.
void sync_directory(const std::string &directory);

} // namespace agent
