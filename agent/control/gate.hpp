// SPDX-License-Identifier: Apache-2.0
//
// A listening TCP socket on one interface, with a gate that can be closed in front of it: as long
// as it is, the kernel drops what strangers send before it has cost a descriptor or a thread.
//
// Answers leave with TTL 1, as beats do: who is not on this network segment cannot even complete a
// handshake.
#pragma once

#include "filter/descriptor.hpp"

#include <cstdint>
#include <string>

namespace agent {

class ControlListener {
  public:
    // All IPv4 addresses of the interface, those included that come later. Throws, `verb object:
    // cause`.
    ControlListener(const std::string &interface, std::uint16_t port);

    // The same socket once more, for ZeroMQ, which closes it.
    int duplicate() const;

    void set_open(bool open);
    std::uint64_t dropped() const; // packets, by the closed gate or because too many were waiting

  private:
    filter::Descriptor socket_;
    bool open_ = true;
};

} // namespace agent
