// SPDX-License-Identifier: Apache-2.0
//
// A cluster in virtual time: the real membership and ownership code of up to 32 nodes, a network
// that delays, loses, duplicates and cuts, clocks that drift, agents that stall, and a model of the
// filter that goes on without its agent until the lease is over. Everything follows from the seed.
//
//   World --- Node --- Membership (real), Ownership (real), Filter (model: buckets, lease, own
//   clock)
//     |         '----- inbox: datagrams wait here while the agent stalls
//     '--- links[from][to]: up or cut, loss, delay
#pragma once

#include "filter.hpp"

#include "heartbeat/membership.hpp"
#include "heartbeat/ownership.hpp"

#include <bitset>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace sim {

using namespace std::chrono_literals;
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Options {
    unsigned nodes = 3;
    heartbeat::Partition partition = heartbeat::Partition::serve;
    Duration interval = 50ms, dead_after = 500ms;
    double max_drift_ppm = 500;
    bool trace = false;
};

struct Link {
    bool up = true;
    double loss = 0, duplicate = 0;
    Duration delay_min = 50us, delay_max = 2ms;
};

struct Node {
    heartbeat::NodeId id{};
    bool host_up = true; // a host that is down neither runs nor filters
    bool agent_up = false;
    bool wants_to_serve = true;
    Time stalled_until{}; // by the world's clock
    double rate = 1;      // of its clock
    Time offset{};
    heartbeat::Digest config = 1;
    std::unique_ptr<heartbeat::Membership> membership;
    std::deque<std::shared_ptr<const heartbeat::Beat>> inbox;
    Time tick_at = heartbeat::kNever; // world's clock, of the queued tick
    Filter filter;
    std::optional<heartbeat::Saved> saved; // in the pinned map
    Time troubled_until{};                 // world's clock: P3 promises nothing for its connections
    heartbeat::ViewNumber applied;         // of its present life

    Time local(Time world) const {
        return offset + Time(static_cast<std::int64_t>(static_cast<double>(world.count()) * rate));
    }
    Time world_time(Time local_time) const {
        return Time(
            static_cast<std::int64_t>(static_cast<double>((local_time - offset).count()) / rate) +
            1);
    }
};

class World {
  public:
    World(std::uint64_t seed, const Options &options);

    void run_until(Time end);
    void at(Time when, std::function<void()> action); // of the world's clock

    // Faults and orders. Nodes are numbered from 1.
    void start(unsigned id); // a new process on a running host
    void kill(unsigned id);  // the process only: the filter stays, until its lease is over
    void crash(unsigned id); // the host
    void stall(unsigned id, Duration length);
    void order(unsigned id, heartbeat::Event event);
    Link &link(unsigned from, unsigned to) { return links_[from][to]; }
    void excuse(Duration length); // P1 is not promised until then (serve: a partition)

    bool excused() const {
        return options_.partition == heartbeat::Partition::serve && now_ < excused_until_;
    }
    // Its connections may be reset: it was stalled, killed, fenced or cut off lately.
    bool troubled(unsigned id) const {
        return now_ < nodes_[id].troubled_until || now_ < excused_until_;
    }
    void trouble(unsigned id, Duration length);

    Time now() const { return now_; }
    Node &node(unsigned id) { return nodes_[id]; }
    std::mt19937_64 &random() { return random_; }
    const Options &options() const { return options_; }
    Duration between(Duration low, Duration high);
    bool chance(double probability);

    Buckets accepting(const Node &node) const; // new connections, at this instant
    unsigned unserved() const;                 // buckets that nobody accepts
    bool anyone_eligible() const;
    bool settled() const; // every bucket served, every eligible node in one installed view
    void check_one_owner();
    void trace(const std::string &text);
    const std::deque<std::string> &history() const { return history_; }
    std::uint64_t steps() const { return steps_; }

  private:
    struct Entry {
        Time when;
        std::uint64_t order;
        std::function<void()> action;
        bool operator>(const Entry &other) const {
            return when != other.when ? when > other.when : order > other.order;
        }
    };

    void turn(Node &node); // of the agent's loop: drain, then tick
    void carry_out(Node &node, heartbeat::Outcome outcome);
    void send(Node &node);
    void schedule_tick(Node &node);
    const Buckets &owned(const heartbeat::View &view, heartbeat::NodeId id);
    void check_view(Node &node, const heartbeat::View &view);

    Options options_;
    std::mt19937_64 random_;
    Time now_{};
    Time excused_until_{};
    std::uint64_t order_ = 0, steps_ = 0;
    std::vector<Node> nodes_; // by id, [0] unused
    std::vector<std::vector<Link>> links_;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
    heartbeat::Ownership ownership_;
    std::map<std::vector<heartbeat::Member>, std::vector<Buckets>> tables_;
    std::deque<std::string> history_;
};

} // namespace sim
