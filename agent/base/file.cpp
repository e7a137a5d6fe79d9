// SPDX-License-Identifier: Apache-2.0
#include "agent/base/file.hpp"

#include <unistd.h>

#include <cerrno>

namespace agent {

int write_synced(int descriptor, std::string_view text) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0) return errno;
    if (written != static_cast<ssize_t>(text.size())) return ENOSPC;
    return fsync(descriptor) == 0 ? 0 : errno;
}

} // namespace agent
