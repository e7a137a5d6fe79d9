// SPDX-License-Identifier: Apache-2.0
//
// Beats as they come in on an interface, before the host's firewall and its connection tracking get to
// see them. A node whose firewall drops beats would take itself for the last one, and serve everything
// beside the others.
//
// A packet socket with a filter in the kernel (packet(7)) that lets in what the UDP socket beside it would
// take. VLAN-tagged frames are another device's.
#pragma once

#include "heartbeat/transport.hpp"

#include <optional>
#include <span>

namespace heartbeat {

class Wire {
  public:
    explicit Wire(const Inlet &inlet); // throws std::runtime_error
    ~Wire();
    Wire(const Wire &) = delete;
    Wire &operator=(const Wire &) = delete;

    int descriptor() const { return socket_; }
    // As Transport::receive(). What has no UDP payload is passed over.
    std::optional<Transport::Received> receive(std::span<std::uint8_t> buffer) const;

  private:
    bool v6_;
    int index_, socket_;
};

} // namespace heartbeat
