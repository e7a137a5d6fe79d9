// SPDX-License-Identifier: Apache-2.0
#include "agent/base/file.hpp"

#include "agent/base/failure.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <stdexcept>

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

namespace {

using filter::Descriptor;

constexpr std::size_t kLongest = 64 * 1024; // orders of 32 rules take 3 kB

[[noreturn]] void fail_with(int cause) { throw std::runtime_error(describe(cause)); }

Descriptor open_directory(const std::string &directory) {
    Descriptor opened(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened) fail_with(errno);
    return opened;
}

} // namespace

std::optional<std::string> read_text(const std::string &file) {
    const Descriptor opened(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!opened && errno == ENOENT) return std::nullopt;
    if (!opened) fail_with(errno);
    std::string text(kLongest, '\0');
    const ssize_t size = read(opened.get(), text.data(), text.size());
    if (size < 0) fail_with(errno);
    text.resize(static_cast<std::size_t>(size));
    return text;
}

// The directory is synced after the rename, for the name itself. What can fail comes before the rename.
int replace_in(const std::string &directory, const std::string &file, std::string_view text) {
    const std::string draft = file + ".new";
    if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) fail_with(errno);
    const Descriptor opened = open_directory(directory);
    const Descriptor made(open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!made) fail_with(errno);
    if (const int cause = replace_synced(file, draft, made.get(), text)) fail_with(cause);
    return fsync(opened.get()) == 0 ? 0 : errno;
}

void sync_directory(const std::string &directory) {
    if (fsync(open_directory(directory).get()) != 0) fail_with(errno);
}

int remove_in(const std::string &directory, const std::string &file) {
    if (access(file.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR)) return 0;
    const Descriptor opened = open_directory(directory);
    if (unlink(file.c_str()) != 0) fail_with(errno);
    return fsync(opened.get()) == 0 ? 0 : errno;
}

} // namespace agent
