// SPDX-License-Identifier: Apache-2.0
//
// A machine, as far as it outlives its agent: the filter's tables, which the agent writes through a real
// filter::StateDatapath and the real verdict reads, and the clients' sockets. It runs on without the agent, on
// its own clock.
#pragma once

#include "filter/state_datapath.hpp"
#include "heartbeat/types.hpp"

#include <bitset>
#include <functional>
#include <memory>
#include <set>

namespace sim {

using heartbeat::Duration;
using heartbeat::Time;

using Buckets = std::bitset<filter::kBuckets>; // of the one rule
using Groups = std::bitset<filter::kGroups>;
inline constexpr unsigned group_of(unsigned bucket) { return bucket / filter::kBucketsPerGroup; }

filter::Settings filter_settings(bool forward); // one virtual IP, one rule, whatever the configuration

enum class Fate { dropped, taken, reset }; // reset: passed to a host that has no socket for it
struct Packet {
    std::uint32_t client = 0; // an address, and another one for each connection
    bool opens = false;
};
struct Judged {
    Fate fate = Fate::dropped;
    unsigned bucket = 0;
};

struct Host {
    std::unique_ptr<nlb_state> tables; // none: no agent has run since the machine was booted
    filter::Paths paths;               // with forwarding
    filter::Numbers numbers;
    std::set<std::uint32_t> sockets; // by client

    Judged judge(const Packet &packet, Time local);
    Buckets mine() const; // the lease aside
    Time lease() const { return Time(tables ? static_cast<std::int64_t>(tables->lease_ns) : 0); }
    Groups guarded() const;
    Groups lingering() const;
    std::vector<filter::BucketSet> connections() const; // buckets that have one, as filter::Tables
    bool holds(unsigned group) const;                   // a connection
    // Whether a packet that comes to this machine reaches that node, for which it is sent on.
    bool reaches(unsigned node, unsigned bucket, bool opens) const;
};

enum class Written { tables, lease, note };
// Told of each write before it is done; false: the process has died there, and writes no more.
using Writing = std::function<bool()>;
using HasWritten = std::function<void(Written)>;

class Datapath final : public filter::StateDatapath {
  public:
    Datapath(Host &host, bool forward, Writing writing, HasWritten written);

    void install(const filter::Tables &tables) override;
    void set_lease(std::uint64_t deadline_ns) override;
    void set_guarded(const filter::GroupSet &groups) override;
    void set_lingering(const filter::GroupSet &groups) override;
    void configure(const filter::Settings &settings, const filter::Tables &tables) override;
    void set_paths(const filter::Paths &paths) override;
    filter::Paths paths() const override { return host_.paths; }
    void set_numbers(const filter::Numbers &numbers) override;
    void set_note(const std::vector<std::uint8_t> &bytes) override;
    bool adopted() const override { return adopted_; }

    std::string_view kind() const override { return "simulated"; }
    filter::Verdict judge(const std::vector<std::uint8_t> &) override { return {}; }
    std::function<filter::InPlace()> look() const override { return [] { return filter::InPlace{}; }; }
    std::optional<std::string> flaw(const filter::InPlace &) override { return std::nullopt; }

  protected:
    nlb_state &state() const override { return *host_.tables; }
    nlb_counters sum() const override { return {}; }
    void forget_tables_counted() override {}
    void wait_for_readers(Clock::time_point) override {}

  private:
    Host &host_;
    bool adopted_;
    Writing writing_;
    HasWritten written_;
};

} // namespace sim
