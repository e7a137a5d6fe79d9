// SPDX-License-Identifier: Apache-2.0
// A file descriptor that is closed exactly once. Negative: none.
#pragma once

#include <unistd.h>
#include <utility>

namespace filter {

class Descriptor {
  public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor &operator=(Descriptor &&other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_;
};

// Whether this process can open so many more at this moment. Without them, a look at the host
// would take "cannot be asked" for "is not there".
bool descriptors_left(unsigned count);

} // namespace filter
