// SPDX-License-Identifier: Apache-2.0
//
// The witness: one address outside the cluster, such as the gateway, that is asked "are you there?"
// where clients come in, by ARP or neighbour discovery. A node that hears no other cannot tell
// whether all others died or it alone went deaf; a node that still reaches the witness is not deaf.
//
// The kernel's own neighbour table would not do: its entries stay valid for half a minute.
#pragma once

#include "agent/frames/advertisements.hpp"
#include "agent/frames/line.hpp"
#include "agent/host/state.hpp"
#include "filter/address.hpp"
#include "heartbeat/types.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agent {

struct WitnessCounters {
    std::uint64_t asked = 0, answered = 0;
    std::uint64_t malformed = 0; // looked like an answer, was not a valid one
    std::uint64_t send_errors = 0;
};

// The address from which a node asks its witness. The witness caches the asker's address and
// MAC, so a node never asks from a virtual IP: the gateway would bind it to one node.
struct OwnAddress {
    filter::IpAddress address;
    unsigned prefix = 0; // length in bits
};

std::vector<OwnAddress> own_addresses(const HostSeen &host, int index); // of that interface

class Witness {
  public:
    // Throws std::runtime_error. An interface that is down is not an error: heal() opens it later.
    // virtual_ips: addresses of the whole cluster, with which no node may ask.
    Witness(const std::string &interface, const filter::IpAddress &address,
            const std::vector<filter::IpAddress> &virtual_ips, heartbeat::Duration interval);

    void wait(Poll &poll) const; // readable: call answered()
    // Reads a bounded number of the answers that wait. When there was one: the time of the last
    // question. Call it before ask(), or an old answer passes for one to the new question.
    std::optional<heartbeat::Time> answered();
    void ask(heartbeat::Time now); // on every beat; more often does nothing
    void set_own(std::vector<OwnAddress> own) { own_ = std::move(own); } // one of these asks

    bool heal(); // as Line's
    void set_virtual_ips(const std::vector<filter::IpAddress> &virtual_ips) { virtual_ips_ = virtual_ips; }

    const WitnessCounters &counters() const { return counters_; }

  private:
    std::span<const std::uint8_t> next();

    std::string interface_;
    filter::IpAddress address_;
    std::vector<filter::IpAddress> virtual_ips_;
    std::vector<OwnAddress> own_;
    heartbeat::Duration pause_; // between two questions, at least
    std::optional<heartbeat::Time> asked_;
    Line line_; // hears an IPv4 address; the next one hears an IPv6 address
    std::optional<Advertisements> advertisements_;
    WitnessCounters counters_;
};

// The first of these that the target can answer directly, because they share a prefix or it is
// link-local; otherwise the unspecified one of the target's family, for a probe.
filter::IpAddress asker(const filter::IpAddress &target, const std::vector<OwnAddress> &own,
                        const std::vector<filter::IpAddress> &virtual_ips);

} // namespace agent
