// SPDX-License-Identifier: Apache-2.0
//
// The host's TCP connections, as the kernel's own socket table has them (inet_diag). That table is
// the only list of connections there is: the agent keeps none.
//
// One pass over it may be long (100,000 sockets take a fifth of a second), and beats cannot wait:
// so it is read in slices, one on each turn of the agent's loop. The result is not a snapshot: a pass may miss
// connections that open or end meanwhile, so nothing important may depend on one pass.
#pragma once

#include "filter/address.hpp"
#include "filter/descriptor.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace agent {

struct Connection {
    filter::IpAddress local, remote; // IPv4 in IPv6 dress counts as IPv4
    std::uint16_t local_port = 0, remote_port = 0;
    bool operator==(const Connection &) const = default;
};

struct Listener {
    filter::IpAddress address; // all zero: every address of its family, and as `::` of both ...
    std::uint16_t port = 0;
    bool v6_only = false; // ... unless this
    int interface = 0;    // of this one alone; 0: of all
    bool operator==(const Listener &) const = default;
};

enum class Dump { more, done, failed };

// Adds the connections of one datagram of the kernel's answer to `found`. Whatever the bytes are:
// what is cut off or contradicts itself is Dump::failed. Answers to another request are passed
// over.
Dump parse_sockets(std::span<const std::uint8_t> datagram, std::uint32_t request,
                   std::vector<Connection> &found);

// As parse_sockets.
Dump parse_listeners(std::span<const std::uint8_t> datagram, std::uint32_t request,
                     std::vector<Listener> &found);

// One pass: all TCP sockets of this network namespace that listen, or all connections that are
// established or being closed. Not those half open, which the client will try again at the new
// owner, and not those in TIME_WAIT, which are over.
class SocketDump {
  public:
    // Takes in one datagram of the answer, as parse_sockets.
    using Parse = std::function<Dump(std::span<const std::uint8_t>, std::uint32_t request)>;
    enum class Of { connections, listeners };

    explicit SocketDump(Of what); // asks the kernel; throws, "verb object: cause"

    int descriptor() const { return socket_.get(); } // readable when read() has something to do
    // Reads one slice, without waiting.
    Dump read(const Parse &parse);

  private:
    void ask(std::uint8_t family);
    Dump next_family();

    std::uint32_t states_;
    filter::Descriptor socket_;
    std::uint32_t request_ = 0; // the families are asked for one after the other
};

} // namespace agent
