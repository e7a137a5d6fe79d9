// SPDX-License-Identifier: Apache-2.0
//
// Frames without end, from a seed: mostly what clients send to a node in this scenario, some of it
// bent afterwards. Every length can lie, every header can be cut off, every byte can change.
#pragma once

#include "packets.hpp"

#include "test/judges/plain.hpp"

#include <random>

namespace differential {

using packets::Bytes;
using packets::Segment;

class Frames {
  public:
    // flows: of sockets that this host has, for packets that are about one.
    Frames(const judges::Scenario &scenario, const std::vector<judges::Flow> &flows,
           std::uint64_t seed);

    Bytes next(); // 14 bytes at least

  private:
    unsigned pick(unsigned below);
    bool one_in(unsigned n) { return pick(n) == 0; }
    template <class T>
    const T &one_of(const std::vector<T> &list) {
        return list[pick(static_cast<unsigned>(list.size()))];
    }
    Bytes noise(unsigned most);

    std::string source();
    std::string destination();
    std::uint16_t port();
    std::uint8_t flags();
    Segment tcp();
    Segment udp();
    Segment icmp();
    Segment icmpv6();
    Segment transport();
    Bytes quoted();
    Bytes of_flow(const judges::Flow &flow);
    Bytes ipv4();
    Bytes ipv6();
    Segment extended(Segment inner);
    void bend(Bytes &frame);
    void lie(Bytes &frame);

    const judges::Scenario &scenario_;
    const std::vector<judges::Flow> &flows_;
    std::mt19937_64 random_;
    bool v4_ = true; // the frame in the making
};

} // namespace differential
