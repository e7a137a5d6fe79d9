// SPDX-License-Identifier: Apache-2.0
//
// The sockets under the beats: plain UDP multicast that stays on the link. Each path, an interface and
// an IP family, has a socket of its own, and a beat leaves on every path on which this host has an
// address: so hosts need no more than one family in common. Whoever receives a beat twice believes it
// once.
//
// An interface can be removed and made anew under its name, get addresses and lose them: look_after()
// follows.
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
    struct Settings {
        std::string group, group6; // 239.255.77.77 and ff02::6e6c
        std::uint16_t port;        // UDP
        std::uint64_t cluster;     // as in Envelope: beats of others are left to the kernel
    };
    // Where a datagram came from, by its own word: only a beat's seal says that it is true.
    struct Sender {
        std::array<std::uint8_t, 16> address{}; // IPv4: the first four bytes
        std::uint32_t scope = 0;                // IPv6: the interface's index
        bool v6 = false;
    };

    // Throws std::runtime_error for an interface that does not exist. One that takes no sockets, as while
    // another process has the port, is tried again: see obstacles().
    Transport(const std::vector<std::string> &interfaces, const Settings &settings, Time now);
    ~Transport();
    Transport(const Transport &) = delete;
    Transport &operator=(const Transport &) = delete;

    // About once a second, and when an interface or an address has changed. Throws std::runtime_error
    // when the kernel does not tell which there are; all is then as it was.
    void look_after(Time now);
    // As of the last look, why beats cannot be sent on an interface, one entry for each on which they
    // cannot: "eth1 does not exist".
    const std::vector<std::string> &obstacles() const { return obstacles_; }
    // Beats can be sent on no interface at all.
    bool mute() const { return obstacles_.size() == interfaces_.size(); }

    const std::vector<int> &descriptors() const {
        return descriptors_;
    } // for poll; owned by this object, valid until the next look_after()
    void send(std::span<const std::uint8_t> datagram); // on every path; never blocks
    // One waiting datagram into buffer: its size (0 is one without content), or nothing when none
    // waits. Larger ones come back cut to the buffer.
    struct Received {
        std::size_t size;
        Sender from;
    };
    static std::optional<Received> receive(int descriptor, std::span<std::uint8_t> buffer);
    // On which interface. Precondition: one of descriptors().
    const std::string &interface_of(int descriptor) const;

    // Before the waiting datagrams are received: counts those that the kernel has dropped.
    void count_drops();
    struct Counters {
        std::uint64_t send_errors = 0;
        std::uint64_t filtered = 0;   // datagrams that are no beats of this cluster
        std::uint64_t overflowed = 0; // beats for which the receive buffer had no room
    };
    const Counters &counters() const { return counters_; }

  private:
    struct Path {
        std::string interface;
        bool v6;
        int index = 0;        // of the interface that the socket is bound to
        int socket = -1;      // none: the interface is not there, or does not take one
        bool sends = false;   // there is an address to send from
        int failed = 0;       // sends in a row
        std::uint32_t dropped = 0; // by the kernel, so far
        Time announced{};
        std::string obstacle{}; // the last one
    };
    struct Host;

    void open(Path &path, int index) const;
    void close(Path &path) const;
    void look_after(Path &path, const Host &host, Time now) const;
    void announce(Path &path, Time now) const;
    std::string obstacle(const std::string &interface, const Host &host) const;

    Settings settings_;
    std::vector<std::string> interfaces_;
    std::vector<Path> paths_; // of each interface IPv4, then IPv6
    std::vector<std::string> obstacles_;
    std::vector<int> descriptors_;
    Counters counters_;
};

} // namespace heartbeat
