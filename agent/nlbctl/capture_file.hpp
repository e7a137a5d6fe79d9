// SPDX-License-Identifier: Apache-2.0
// The file for captured packets. It never overwrites an existing file, and however the capture ends, the file
// holds only whole blocks: a block that a full disk has cut off is removed.
#pragma once

#include "filter/descriptor.hpp"

#include <cstdint>
#include <iosfwd>
#include <string>

namespace agent {

class CaptureFile {
  public:
    // "-": the stream. A path that is a pipe or a device is written to, a regular file must be new.
    CaptureFile(const std::string &path, std::ostream &stream); // throws, "write FILE: cause"

    void write(const std::string &blocks); // throws as well

  private:

    std::string path_;
    std::ostream &stream_;
    filter::Descriptor file_;
    std::int64_t whole_ = 0; // bytes that are
};

} // namespace agent
