// SPDX-License-Identifier: Apache-2.0
// The sockets under the beats: plain UDP multicast with TTL 1, one socket an interface.
#pragma once

#include "heartbeat/types.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace heartbeat {

class Transport {
  public:
    using Address = std::array<std::uint8_t, 4>; // IPv4, as all beats

    // group: dotted IPv4 multicast address. Throws std::runtime_error naming the interface.
    // An interface that is missing later is not an error: sends on it fail and are counted.
    Transport(const std::vector<std::string> &interfaces, const std::string &group,
              std::uint16_t port);
    ~Transport();
    Transport(const Transport &) = delete;
    Transport &operator=(const Transport &) = delete;

    const std::vector<int> &descriptors() const {
        return sockets_;
    }                                                  // for poll; owned by this object
    void send(std::span<const std::uint8_t> datagram); // to every interface; never blocks
    // One waiting datagram into buffer: its size (0 is one without content), or nothing when none
    // waits. Larger ones come back cut to the buffer.
    struct Received {
        std::size_t size;
        Address from; // the sender's, by its own word: only a beat's seal says that it is true
    };
    std::optional<Received> receive(int descriptor, std::span<std::uint8_t> buffer);
    std::uint64_t send_errors() const { return send_errors_; }

  private:
    std::vector<int> sockets_;
    std::vector<std::uint8_t> target_; // a sockaddr_in
    std::uint64_t send_errors_ = 0;
};

} // namespace heartbeat
