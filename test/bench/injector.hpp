// SPDX-License-Identifier: Apache-2.0
// Sends frames into a wire from one processor, which also runs what receives them: frames per
// second per processor, the sender included.
#pragma once

#include "packets.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace bench {

enum class Shape { ipv4, ipv4_tagged, ipv6 }; // where the last four bytes of the source address are

// A correct TCP or UDP frame and the sources that its copies get in turn, with correct checksums;
// their number is a power of two, at most 1 << 20. `sources` as they lie in the frame.
struct Traffic {
    packets::Bytes frame;
    Shape shape;
    std::vector<std::uint32_t> sources;
};

class Injector {
  public:
    Injector(); // into the wire of test/bpf/host.hpp
    // Into that end of a veth pair; the other end must take frames in, by GRO or a native XDP
    // program.
    explicit Injector(const std::string &interface);
    // Either pins the process to its last processor.
    ~Injector();
    Injector(const Injector &) = delete;

    // Frames a second while sending for `seconds`. Throws when not all of them were received.
    double rate(const Traffic &traffic, double seconds);
    // Sends so many a second, in bursts of a millisecond, or as many as it can; returns their
    // number.
    std::uint64_t flood(const Traffic &traffic, double per_second, double seconds);

    int drop_program() const; // its descriptor

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

// Real-time priority for as long as it lives, so that nothing but interrupts comes between.
class Undisturbed {
  public:
    Undisturbed();
    ~Undisturbed();
    Undisturbed(const Undisturbed &) = delete;
};

// This process is on all processors but the sender's for as long as it lives, and then again on that.
class OnOtherProcessors {
  public:
    OnOtherProcessors();
    ~OnOtherProcessors();
    OnOtherProcessors(const OnOtherProcessors &) = delete;
};

double seconds_now(); // of a steady clock

} // namespace bench
