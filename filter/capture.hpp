// SPDX-License-Identifier: Apache-2.0
//
// Frames as they come to a datapath, each with the verdict that it got: for a process of its own,
// which looks for a while and then goes away. What is shown at all the agent decides
// (Datapath::show). A process that looks can at most miss frames, which are counted.
#pragma once

#include "filter/datapath.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace filter {

struct CapturedFrame {
    std::uint64_t boot_ns; // CLOCK_BOOTTIME
    Verdict verdict;
    std::uint32_t length;                // of the frame on the wire
    std::span<const std::uint8_t> bytes; // as it arrived; shorter than `length` when it was too long
};

inline constexpr std::uint32_t kMostCaptured = 65280; // bytes of a frame

class Capture {
  public:
    virtual ~Capture() = default;

    virtual int descriptor() const = 0; // for poll
    // Hands over what has come; the bytes are there until the function returns.
    virtual void read(const std::function<void(const CapturedFrame &)> &take) = 0;
    virtual std::uint64_t lost() const = 0; // frames that were to be shown, and for which there was no room
    // Whether an agent can still find it here: one that ends in an orderly way takes all away.
    virtual bool stands() const { return true; }
};

} // namespace filter
