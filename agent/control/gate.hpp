// SPDX-License-Identifier: Apache-2.0
//
// A listening TCP socket on one interface, with a gate that can be closed in front of it: while it is
// closed, the kernel drops what strangers send before it has cost a descriptor or a thread.
//
// Answers leave with TTL 1 (IPv6: hop limit 1), as beats do: a host outside this network segment cannot even complete a
// handshake.
#pragma once

#include "filter/descriptor.hpp"
#include "heartbeat/types.hpp"

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

namespace agent {

class ControlGate {
  public:
    // All addresses of the interface, IPv6 and IPv4, those included that come later. Throws, `verb
    // object: cause`.
    ControlGate(const std::string &interface, std::uint16_t port);

    // Of the interface that it listens on. A recreated interface has another index.
    int index() const { return index_; }

    // A duplicate of the descriptor, for ZeroMQ, which closes it.
    int duplicate() const;

    void set_open(bool open);
    std::uint64_t dropped() const; // packets, by the closed gate or because too many were waiting

  private:
    int index_;
    filter::Descriptor socket_;
    bool open_ = true;
};

// Connections to the port for commands, as ZeroMQ's monitor reports them: how many are open,
// how many came lately, and why the others were refused. Pure: events in, numbers out.
enum class CallerEvent {
    accepted,     // value: the descriptor
    proved,       // holds the key
    cut_off,      // closed, or too slow; `closed` follows, as after the next two
    wrong_key,    // or no key at all
    not_expected, // a handshake that breaks the protocol
    closed,       // value: the descriptor
};

class Callers {
  public:
    void take(CallerEvent event, std::uint32_t value, heartbeat::Time now);

    void forget_open() { open_.clear(); } // all are closed, and no event will report it

    std::size_t open() const { return open_.size(); }
    std::size_t lately(heartbeat::Time now) const; // accepted in this second

    std::uint64_t proved() const { return proved_; }
    std::uint64_t cut_off() const { return cut_off_; }
    std::uint64_t wrong_key() const { return wrong_key_; }
    std::uint64_t not_expected() const { return not_expected_; }
    // Closed without a reported cause: not ZeroMQ's protocol. A connection that proved its key also closes
    // without one, and ZeroMQ does not tell which it was: exact only when no connection is open.
    std::uint64_t garbage() const { return silent_ > proved_ ? silent_ - proved_ : 0; }

  private:
    std::set<std::uint32_t> open_;
    bool told_ = false; // why the connection that is closed next was refused
    heartbeat::Time second_{};
    std::size_t in_second_ = 0;
    std::uint64_t proved_ = 0, cut_off_ = 0, wrong_key_ = 0, not_expected_ = 0, silent_ = 0;
};

} // namespace agent
