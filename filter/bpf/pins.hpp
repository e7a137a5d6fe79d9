// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "filter/descriptor.hpp"

#include <string>

namespace filter::bpf {

// What frames are shown by (verdict/capture_record.h), for capture().
inline constexpr const char *kShownPin = "shown";
inline constexpr const char *kShownCountsPin = "shown_counts";
inline constexpr const char *kLinkPin = "link"; // of XDP's program
// Of programs that send packets on.
inline constexpr const char *kPathsPin = "paths", *kNumbersPin = "numbers", *kSentPin = "sent";

// Names under one directory of a bpffs. A predecessor's stay, until something is put in their place
// or they are taken over: a start that fails leaves what keeps the node silent, and what the next
// one needs to remove it.
class Pins {
  public:
    // Makes the directory when its parent is a bpffs. Throws when it is not on one.
    explicit Pins(std::string directory);
    Pins(const Pins &) = delete;
    ~Pins();

    Descriptor open(const std::string &name) const; // empty when there is none
    void put(const std::string &name, int fd);      // in place of what was there
    bool has(const std::string &name) const;
    void take_over() { ours_ = true; }              // all go in the end
    void keep() { ours_ = false; }
    void remove(const std::string &name) const;

  private:
    std::string directory_;
    bool ours_ = false;
};

} // namespace filter::bpf
