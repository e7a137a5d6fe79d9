// SPDX-License-Identifier: Apache-2.0
#include "agent/base/file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace agent {

filter::Descriptor open_to_read(const std::string &file) {
    filter::Descriptor opened(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (opened) fcntl(opened.get(), F_SETFL, 0); // what a pipe's writer writes is waited for
    return opened;
}

int write_synced(int descriptor, std::string_view text) {
    const ssize_t written = write(descriptor, text.data(), text.size());
    if (written < 0) return errno;
    if (written != static_cast<ssize_t>(text.size())) return ENOSPC;
    return fsync(descriptor) == 0 ? 0 : errno;
}

int replace_synced(const std::string &file, const std::string &draft, int descriptor,
                   std::string_view text) {
    int cause = write_synced(descriptor, text);
    if (cause == 0 && rename(draft.c_str(), file.c_str()) != 0) cause = errno;
    if (cause != 0) unlink(draft.c_str());
    return cause;
}

} // namespace agent
