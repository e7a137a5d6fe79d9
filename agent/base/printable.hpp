// SPDX-License-Identifier: Apache-2.0
// Text of others' (another process, another node, a file's name) is only text: at every exit to a
// terminal, a log or the service manager it goes through here, so that it can neither command the
// terminal, nor begin a line of its own, nor turn the order of what stands around it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace agent {

inline constexpr std::size_t kMostPrinted = 4096; // bytes

// The text with these changes: blanks of all kinds become a space; control characters (C0, C1), marks that
// are invisible or change the direction, and bytes that are not valid UTF-8 become "?" each; and "..." stands
// for what exceeds `most` bytes.
std::string printable(std::string_view text, std::size_t most = kMostPrinted);

} // namespace agent
