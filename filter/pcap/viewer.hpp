// SPDX-License-Identifier: Apache-2.0
//
// Shows frames with their verdicts to `nlbctl capture`, as the XDP program does by a ring of the
// kernel's. Here judge and viewer are two processes, so it is a socket that the viewer listens on
// (capture.cpp). The packets' thread never waits for it: what finds no room is counted.
#pragma once

#include "filter/descriptor.hpp"
#include "filter/verdict/capture_record.h"

#include <cstdint>
#include <span>
#include <string>

namespace filter::pcap {

// Where a viewer listens, in the directory of the tables.
std::string viewer_path(const std::string &directory);

class Viewer {
  public:
    // counts: where losses are counted, for the viewer to read.
    Viewer(const std::string &directory, nlb_shown &counts)
        : path_(viewer_path(directory)), counts_(counts) {}

    void show(std::uint64_t word, std::span<const std::uint8_t> frame, std::uint64_t now_ns);

  private:
    bool connect(std::uint64_t now_ns);
    bool send(std::uint64_t word, std::span<const std::uint8_t> frame, std::uint64_t now_ns);

    std::string path_;
    nlb_shown &counts_;
    Descriptor socket_;
    std::uint64_t tried_ns_ = 0;
};

} // namespace filter::pcap
