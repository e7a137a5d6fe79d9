// SPDX-License-Identifier: Apache-2.0
#include "agent/nlbctl/capture_file.hpp"

#include "agent/base/failure.hpp"
#include "agent/nlbctl/pcapng.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ostream>
#include <stdexcept>

namespace agent {
namespace {

// Where nothing is lost, and no other user reads along: a file of one's own that is empty, such as a capture
// leaves that was refused; a device or a pipe, if it is one's own or root's.
bool may_be_written(const filter::Descriptor &file) {
    struct stat found{};
    if (fstat(file.get(), &found) != 0) return false;
    const bool own = found.st_uid == geteuid();
    if (!S_ISREG(found.st_mode)) return own || found.st_uid == 0;
    return own && found.st_size == 0 && found.st_nlink == 1 && (found.st_mode & 077) == 0;
}

} // namespace

CaptureFile::CaptureFile(const std::string &path, std::ostream &stream)
    : path_(path), stream_(stream) {
    if (path_ == "-") return;
    const int flags = O_WRONLY | O_CLOEXEC;
    file_ = filter::Descriptor(open(path_.c_str(), flags | O_CREAT | O_EXCL, 0600));
    if (file_) return;
    if (errno == EEXIST) file_ = filter::Descriptor(open(path_.c_str(), flags));
    if (!file_) fail("write " + path_);
    if (!may_be_written(file_))
        throw std::runtime_error("write " + path_ +
                                 ": it is there already; name another file, or remove it");
}

void CaptureFile::write(const std::string &blocks) {
    if (path_ == "-") {
        if (!(stream_ << blocks << std::flush))
            throw std::runtime_error("write to standard output: it accepts no more data");
        return;
    }
    for (std::size_t at = 0; at < blocks.size();) {
        const ssize_t written = ::write(file_.get(), blocks.data() + at, blocks.size() - at);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            const int cause = written == 0 ? ENOSPC : errno;
            whole_ += static_cast<std::int64_t>(pcapng::whole({blocks.data(), at}));
            if (ftruncate(file_.get(), whole_) != 0) errno = 0; // a pipe has no end to take away
            errno = cause;
            fail("write " + path_);
        }
        at += static_cast<std::size_t>(written);
    }
    whole_ += static_cast<std::int64_t>(blocks.size());
}

} // namespace agent
