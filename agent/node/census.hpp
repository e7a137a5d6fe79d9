// SPDX-License-Identifier: Apache-2.0
//
// How many connections this node has on the virtual IPs, and in which buckets: counted by passes
// over the kernel's socket table, again and again. Often while a drain or a lingering group waits
// for connections to end, otherwise now and then, and never for more than a fifth of the time.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/host/sockets.hpp"
#include "filter/bucket.hpp"
#include "heartbeat/types.hpp"

#include <numeric>
#include <optional>
#include <vector>

namespace agent {

// Tables as in filter::Tables: one a rule and, last, what no rule covers.
struct Census {
    heartbeat::Time begun{};
    std::vector<std::uint64_t> connections; // by table; a disabled rule has none
    std::vector<filter::BucketSet> buckets; // by table: those that have a connection
    std::uint64_t lingering = 0;            // connections in buckets that were not served
    std::vector<Connection> some{};         // of them, at most kSome
    static constexpr std::size_t kSome = 8;

    std::uint64_t total() const {
        return std::accumulate(connections.begin(), connections.end(), std::uint64_t{0});
    }
};

// Where a connection belongs, as the filter would say of a packet from its remote end.
struct TableBucket {
    std::size_t table;
    unsigned bucket;
};
// nullopt: it is not a client's connection, because its local end is not a virtual IP, or its
// remote end is one.
std::optional<TableBucket> place_of(const Connection &connection, const filter::Settings &settings,
                              const filter::Buckets &buckets);

enum class Pace { idle, lingering, draining };

class SocketCensus {
  public:
    explicit SocketCensus(filter::Settings settings);

    // Call on every turn of the loop: begins a pass when one is due and reads a slice of it, while
    // this node serves what `served` says. True
    // when a pass was completed: latest() is new. Throws when the kernel does not answer; the next
    // pass is then due as after any other.
    bool handle(heartbeat::Time now, Pace pace, const filter::Tables &served);

    // Another configuration: what has been counted is of the former one.
    void configure(filter::Settings settings);
    void set_disabled(std::size_t rule, bool disabled) {
        settings_.rules[rule].disabled = disabled;
    }

    const std::optional<Census> &latest() const { return latest_; }     // nothing: none yet
    int descriptor() const { return dump_ ? dump_->descriptor() : -1; } // -1: no pass under way
    void wait(Poll &poll, Pace pace) const {
        poll.read(descriptor());
        poll.at(wake_at(pace));
    }
    heartbeat::Time wake_at(Pace pace) const; // handle() has a pass to begin then

  private:
    void begin(heartbeat::Time now);
    bool read(const filter::Tables &served);
    void take(const Connection &connection, const filter::Tables &served);

    filter::Settings settings_;
    filter::Buckets buckets_; // under the settings' key
    std::optional<SocketDump> dump_;
    Census counting_;
    std::optional<Census> latest_;
    heartbeat::Time ended_{}, took_{}; // the last pass
};

} // namespace agent
