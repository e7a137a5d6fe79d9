// SPDX-License-Identifier: Apache-2.0
//
// A cluster in virtual time: the agent's node, its datagrams and the filter's verdict of up to 32 machines, all
// real, though of fewer buckets; a network that delays, loses, duplicates and cuts, clocks that drift, agents that
// stall and that die between two writes. Everything follows from the seed.
//
//   World --- Node --- Process: agent::Node on a Datapath; gone when it is killed
//     |         |----- Host: the filter's tables and the sockets, which go on without it until the lease is over
//     |         '----- inbox: datagrams wait here while the agent stalls
//     '--- links[plane][from][to]: up or cut, loss, delay
//
// Beats travel on one network or, with two planes, on two: the clients', and one of their own. Each node then has an
// interface in either, and the agent's own judgment of its reach decides whether it may serve. Clients' packets come
// on the first plane alone.
//
// The promises are checked as things happen (checks.cpp); the code that causes a fault says what is
// not promised meanwhile: `excuse` for the whole cluster, `trouble` for one node's connections.
#pragma once

#include "host.hpp"

#include "agent/node/node.hpp"
#include "agent/node/reach.hpp"
#include "heartbeat/ownership.hpp"

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
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
    bool witness = false; // serve: a configured one is asked; else the link stands in for it
    Duration interval = 50ms, dead_after = 500ms;
    double max_drift_ppm = 500;
    bool replays = false; // an attacker on the wire replays old beats all the time
    bool forward = false; // clients' packets come to one node, which sends them on
    unsigned planes = 1;  // or 2
    bool marks = true;    // the network leaves alone what tells an urgent beat from the others
    heartbeat::NodeBits fewer = 0, moved = 0; // nodes in the lists of configurations 4 and 5; 0: all
    heartbeat::NodeBits founders = ~heartbeat::NodeBits{0}; // quorum: nodes that have been a cluster before
    bool trace = false;

    // Every duration in here is meant for dead_after = 500 ms; another profile has it to scale.
    Duration scaled(Duration length) const {
        return Duration(static_cast<std::int64_t>(static_cast<double>(length.count()) *
                                                  (dead_after / 1.0ms) / 500));
    }
    Duration lease() const { return dead_after - 2 * interval; }
};

struct Link {
    bool up = true;
    double loss = 0, duplicate = 0;
    Duration delay_min{}, delay_max{};
};

inline constexpr unsigned kClientsPlane = 0, kOwnPlane = 1, kPlanes = 2; // the clients' network, and the heartbeat's own

// A node's interface in a plane.
struct Port {
    bool there = true;                // it may be removed, and made anew
    bool carrier = true;              // its cable is in
    bool hears = true, speaks = true; // it receives, and what it sends arrives
};

// A beat on the wire, and what it says.
struct Datagram {
    std::vector<std::uint8_t> bytes;
    heartbeat::Beat beat;
    bool urgent = false; // by its mark
};

// An agent. It may be killed in the middle of a call, between two writes: what it does from there on reaches nothing.
struct Process {
    Process(Host &host, bool forward, const Writing &writing, const HasWritten &written)
        : datapath(host, forward, [this, writing] { return !dead && writing() && !dead; }, written) {}

    Datapath datapath;
    std::optional<agent::Node> node; // once it has begun
    std::optional<agent::Reach> reach; // of two planes
    bool dead = false;
};

inline constexpr Time kAwake{-1};

struct Node {
    heartbeat::NodeId id{};
    bool host_up = true; // a host that is down neither runs nor filters
    bool wants_to_serve = true;
    std::array<Port, kPlanes> ports;  // by plane
    Time stalled_until{};             // by the world's clock
    double rate = 1;                  // of its clock
    Time offset{};
    Time paused_at = kAwake, paused_until{}; // the machine with its clock; world's clock
    Time slept_at{}, woke_at{};
    std::weak_ptr<const Process> woken; // the process that then ran
    bool just_woken = false; // and it has not heard a beat that can tell it, of one that it knew before
    bool alone_since = false; // it has heard no node that serves since it woke
    struct Known {
        heartbeat::Life life = 0;
        Time since{}, until{}; // world's clock: believed beats of this life came that quoted this node's own
    };
    std::array<Known, heartbeat::kMaxNodes + 1> known{};
    unsigned key = 1;                 // the cluster's
    heartbeat::Digest file = 1; // configuration on disk
    std::shared_ptr<Process> process; // none: no agent
    Host host;
    unsigned fuse = 0; // the agent dies before its so many-th write from now on; 0: it does not
    Duration away{};   // and comes back after this
    struct Waiting {
        std::shared_ptr<const Datagram> datagram;
        unsigned plane; // on which it came
    };
    std::deque<Waiting> inbox;
    std::optional<Time> witness_said; // as of then, by its clock; waits like the inbox
    Time witness_asked{}, counted{};  // its clock
    Time tick_at = heartbeat::kNever; // world's clock, of the queued tick
    Time rests_until{}, reads_at{};   // world's clock: before, what is not urgent waits; the queued reading of it
    bool rests = false;               // the last urgent beat had its mark
    std::optional<heartbeat::Saved> saved; // the note for a successor
    heartbeat::Electorate kept;            // on its disk,
    Duration disk{};                       // which takes up to so much longer than usual
    std::optional<heartbeat::Electorate> kept_now; // and its agent has not been told
    unsigned crashes = 0;                  // of the machine
    Time last_beat{};        // world's clock, when it was sent
    Time troubled_until{};   // world's clock: P3 promises nothing for its connections
    bool written_off = false; // it has died for its peers, and does not serve again yet
    heartbeat::Life life = 0; // its present one, 0: not known yet
    heartbeat::View applied;  // of that
    std::optional<Time> unleased_since; // its clock: leads or has a place, and no lease
    std::uint64_t seen = 0;             // digest of what its last beat said of its part

    bool agent_up() const { return process != nullptr; }
    bool able() const { return !process || !process->reach || process->reach->complete(); } // by its interfaces
    bool on(unsigned plane) const { return ports[plane].there && ports[plane].carrier; }
    bool hears(unsigned plane) const { return on(plane) && ports[plane].hears; }
    bool speaks(unsigned plane) const { return on(plane) && ports[plane].speaks; }
    bool reached_by_clients() const { return hears(kClientsPlane) && speaks(kClientsPlane); }
    agent::Node &agent() const { return *process->node; } // precondition: agent_up()
    Time local(Time world) const {
        if (world < paused_until) world = paused_at;
        return offset + Time(static_cast<std::int64_t>(static_cast<double>(world.count()) * rate));
    }
    Time world_time(Time local_time) const {
        return Time(
            static_cast<std::int64_t>(static_cast<double>((local_time - offset).count()) / rate) +
            1);
    }
};

heartbeat::Envelope envelope(const Node &node); // of its key

class World {
  public:
    World(std::uint64_t seed, const Options &options);

    void run_until(Time end);
    void at(Time when, std::function<void()> action); // of the world's clock
    void after(Duration length, std::function<void()> action) {
        at(now_ + length, std::move(action));
    }
    // The same, unless the faults are over by then.
    void later(Duration length, std::function<void()> action);
    void end_faults() { faulty_ = false; }

    // Faults and orders. Nodes are numbered from 1.
    void start(unsigned id); // a new process on a running host
    void set_key(unsigned id, unsigned key) { nodes_[id].key = key; }
    void kill(unsigned id);  // the process only: the filter stays, until its lease is over
    // Dies before so many writes more to the filter, and is started again after this time.
    void light_fuse(unsigned id, unsigned writes, Duration away);
    void crash(unsigned id); // the host
    void stall(unsigned id, Duration length);
    void pause(unsigned id, Duration length); // the virtual machine, and its clock stands still
    void wake(unsigned id);
    void order(unsigned id, heartbeat::Event event);
    void reload(unsigned id, heartbeat::Digest file); // the new file, and the command
    void lose_witness() { witness_answers_ = false; }
    Link &link(unsigned from, unsigned to, unsigned plane = kClientsPlane) { return links_[plane][from][to]; }
    const Link &link(unsigned from, unsigned to, unsigned plane = kClientsPlane) const { return links_[plane][from][to]; }
    Link good_link() const;
    using ChangeLink = std::function<void(unsigned from, unsigned to, Link &)>;
    void each_link(const ChangeLink &change); // of all planes
    void each_link(unsigned plane, const ChangeLink &change);
    void change_port(unsigned id, unsigned plane, const Port &port); // the agent is told of it
    // Called with this probability whenever a node's role, vote, term, view, lease or note has changed,
    // after that is noted and before any other node can have heard of it.
    void at_transitions(double probability, std::function<void(unsigned id)> action) {
        transition_probability_ = probability;
        at_transition_ = std::move(action);
    }
    // Called once, when the next leader issues a view, before any other node can have heard of it.
    void ambush(std::function<void(unsigned leader)> action) { ambush_ = std::move(action); }

    // What is not promised. In a partition: with `serve` nothing; with `quorum` connections of nodes
    // that have no place in a view, because the members may not hear of them.
    void excuse(Duration length);
    void trouble(unsigned id, Duration length); // the connections of one node
    bool excused() const {
        return options_.partition == heartbeat::Partition::serve && now_ < excused_until_;
    }
    // No promise that these two do not both serve: `serve`, and for no longer than a lease the two
    // have heard each other and every node that either hears; or one of them has slept with its
    // clock.
    bool both_may_serve(unsigned one, unsigned other) const;
    bool troubled(unsigned id) const;

    Time now() const { return now_; }
    Node &node(unsigned id) { return nodes_[id]; }
    const Node &node(unsigned id) const { return nodes_[id]; }
    std::mt19937_64 &random() { return random_; }
    const Options &options() const { return options_; }
    Duration between(Duration low, Duration high);        // as they are
    Duration scaled_between(Duration low, Duration high); // meant for dead_after = 500 ms
    bool chance(double probability);
    unsigned any_node();

    Buckets accepting(const Node &node) const; // new connections, at this instant
    Buckets served() const; // with two planes: by nodes that clients reach
    bool settled() const; // every bucket served, every eligible node that is listed in one installed view
    bool listed(unsigned id) const { return lists(nodes_[id].file, nodes_[id].id); } // in the file on its disk
    void check_one_owner();
    Groups guarded_for_nothing() const; // by a node, and no other holds connections there
    // P2: from now on a bucket may be without an owner for this long; nothing: not watched.
    void allow_gaps(const Buckets &buckets, Duration length);
    void stop_watching_gaps() { watching_ = false; }
    void check_gaps();
    void trace(const std::string &text);
    const std::deque<std::string> &history() const { return history_; }

  private:
    struct Entry {
        Time when;
        std::uint64_t order;
        std::function<void()> action;
        bool operator>(const Entry &other) const {
            return when != other.when ? when > other.when : order > other.order;
        }
    };

    bool lists(heartbeat::Digest config, heartbeat::NodeId id) const { // all but 4 and 5 are of all nodes
        const heartbeat::NodeBits some = config == 4 ? options_.fewer : config == 5 ? options_.moved : 0;
        return some == 0 || (some & heartbeat::bit(id));
    }
    heartbeat::Settings settings(const Node &node, heartbeat::Digest config) const;
    agent::StagedConfig staged(const Node &node, heartbeat::Digest config) const;
    agent::Serving serving(const heartbeat::Settings &settings) const;
    const heartbeat::Ownership &ownership(heartbeat::Digest config) const;
    bool can_tell(const Node &node, const heartbeat::Beat &beat) const;
    bool sent_since(const Node &woken, const heartbeat::Beat &beat) const; // it woke
    void excuse_for_a_lease(Node &node);
    void get_to_know(Node &node, const heartbeat::Beat &beat) const;
    void begin(Node &node);
    void turn(Node &node); // of the agent's loop: drain, then tick
    void take(Node &node, const Node::Waiting &waiting);
    void look_at_reach(Node &node);
    void consult_witness(Node &node);
    void keep(Node &node, const heartbeat::Electorate &electorate);
    void count_connections(Node &node);
    bool survives_write(Node &node);
    void written(Node &node, Written what);
    void consider_view(Node &node);
    void hear(Node &node, const heartbeat::Note &note);
    void send(Node &node, std::span<const std::uint8_t> bytes, bool urgent);
    void send_on(unsigned plane, unsigned from, const std::shared_ptr<const Datagram> &datagram);
    void deliver(unsigned to, const std::shared_ptr<const Datagram> &datagram, unsigned plane);
    void schedule_tick(Node &node);
    void replay();
    const heartbeat::OwnerTable &owners(const heartbeat::View &view);
    void check_office(Node &node, const heartbeat::Beat &beat);
    void consider_transition(Node &node, const heartbeat::Beat &beat);
    void survey_links();
    bool hear_each_other(unsigned one, unsigned other) const; // and have, for long enough
    bool whole(unsigned from, unsigned to) const; // on some plane
    void excuse_the_parted();
    void check_view(const Node &node, const heartbeat::View &view);
    static void check_filter(const Node &node);
    static void check_life(const Node &node, const heartbeat::Note &note);
    void check_movement(const heartbeat::View &before, const heartbeat::View &after);

    Options options_;
    std::mt19937_64 random_, attacker_; // so that replays alone make the difference
    std::vector<std::shared_ptr<const Datagram>> recorded_; // by the attacker
    Time now_{};
    Time excused_until_{};
    std::uint64_t order_ = 0, events_ = 0; // events: of this second
    std::vector<Node> nodes_; // by id, [0] unused
    std::array<std::vector<std::vector<Link>>, kPlanes> links_;
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> queue_;
    heartbeat::Ownership plain_, weighted_; // of configurations 1 and 2, and of the others
    std::map<std::pair<bool, std::vector<heartbeat::Member>>, heartbeat::OwnerTable> owners_;
    std::function<void(unsigned)> ambush_, at_transition_;
    double transition_probability_ = 0;
    std::vector<std::vector<bool>> whole_; // links, as of the last survey
    std::vector<std::vector<Time>> changed_; // and when that was another
    Time surveyed_{};
    bool faulty_ = true, witness_answers_ = true;
    bool watching_ = false;
    std::array<Duration, filter::kBuckets> gap_allowed_{};
    std::array<Time, filter::kBuckets> unserved_since_{};
    Buckets unserved_;
    std::deque<std::string> history_;
};

} // namespace sim
