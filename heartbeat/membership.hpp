// SPDX-License-Identifier: Apache-2.0
//
// Who is alive, who leads, and what this node may serve: the membership protocol of one node as a
// pure state machine. No socket, clock, thread or random number in here: `step` takes the time, a
// random number and an event, and returns what has to be done. The agent drives one with a real
// clock, the simulator dozens with a virtual one. The protocol itself is explained in README.md of
// this folder.
#pragma once

#include "heartbeat/beat.hpp"
#include "heartbeat/codec.hpp"
#include "heartbeat/types.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace heartbeat {

enum class Partition : std::uint8_t { serve, quorum };

struct Settings {
    NodeId self = kNoNode;
    std::vector<NodeId> nodes; // all configured ones, ascending
    std::vector<std::string> names; // theirs, for people; empty: they are called "node 1"
    Duration interval = std::chrono::milliseconds(50);
    Duration dead_after = std::chrono::milliseconds(500);
    Partition partition = Partition::serve;
    bool witness = false; // a node that hears no peer serves only while the witness answers
    std::string witness_silent = "the witness does not answer"; // in a reason, when it does not
    std::uint8_t weight = 100;
    RuleBits eligible = ~RuleBits{0};    // rules that this node is willing to serve
    RuleBits healthy = ~RuleBits{0};     // rules whose service works here
    RuleBits serve_all_down = ~RuleBits{0}; // rules that all go on serving when it works nowhere
    std::vector<std::string> rule_names; // for people; may be empty
    Digest config = 0;
    std::vector<std::string> section_names;
    std::vector<std::uint16_t> sections; // short digests, in the order of the names

    bool lists(NodeId id) const;
};

// What may happen to a node.
namespace event {
struct Tick {}; // the time has come; every received datagram has been delivered before
struct Received {
    Beat beat;
}; // an authentic beat of this cluster
// A beat of this cluster came that cannot be read: sealed with another key, or of another version.
struct Unreadable {
    NodeId claimed = kNoNode; // its sender, by its own word
};
struct SetWeight {
    std::uint8_t weight = 0;
};
struct SetEligible {
    RuleBits rules = 0;
};
struct SetHealthy {
    RuleBits rules = 0;
};
struct Start {}; // take part (again): cancels stop, drain, suspend
struct Stop {};  // out of the cluster; goes on beating and voting
struct Leave {}; // out of the cluster for good; state dead when nothing is left to wait for
struct Drain {}; // no new connections, stays a member until told to stop
struct Suspend {};
// Another configuration, with the same times and partition mode: it comes into force for all
// at once, when every member has staged the same one. Its own digest: changes nothing, and takes back
// what was staged before. One that does not list this node removes it: it leaves when all others are ready.
struct Stage {
    Settings settings;
};
// The staged configuration again, with what this node asks for under it: weight, rules, health.
struct Restage {
    Settings settings;
};
struct Kept {
    Electorate electorate;
}; // it is on disk (Outcome::keep)
struct WitnessAnswered {
    Time asked{}; // as of then: an answer may have waited while this process did not run
};
} // namespace event
using Event = std::variant<event::Tick, event::Received, event::Unreadable, event::SetWeight,
                           event::SetEligible, event::SetHealthy, event::Start, event::Stop,
                           event::Leave, event::Drain, event::Suspend, event::Stage, event::Restage,
                           event::WitnessAnswered, event::Kept>;

// What has to be done, in this order, before the beat is sent.
namespace action {
// The staged configuration is in force. A Release or Silence follows: what this node served in what
// is the same under both, it may go on serving until then.
struct Configure {};
struct Release {
    View view;
}; // stop accepting in every bucket not owned in this view; gain nothing yet
struct Serve {
    View view;
};                 // every member has let go: serve exactly what this view gives
struct Silence {}; // stop accepting everywhere; what is open lingers
} // namespace action
using Action =
    std::variant<action::Configure, action::Release, action::Serve, action::Silence>;

struct Note { // for the log and the list of events
    enum class Kind { view, leader, life, refused, merge, fenced, health } kind;
    std::string text; // "subject: what happened (key=value)"
    ViewNumber view = {}; // of kind view: this one has just been applied
};

struct Outcome {
    std::vector<Action> actions;
    bool send = false; // then send beat(), with the lingering groups of this moment
    bool in_turn = false; // it is due, a turn after the last one, and no node waits for it
    std::optional<Electorate> keep; // on disk, in the place of the former one; then event::Kept. It may take its time
    std::optional<Refusal> refusal;
    std::vector<Note> notes;
};

struct PeerStatus {
    NodeId id = kNoNode;
    NodeState state = NodeState::dead;
    std::uint8_t weight = 0; // of the view when in it, else as it last said
    std::optional<Duration> heard_ago;
    std::string reason; // why it is not serving; empty when it is, or when unknown
    Time since{}; // when it was first seen in this state; Time{0}: never heard
    std::optional<std::uint32_t> connections{}; // open to the virtual IPs, as it last said
    std::optional<RuleBits> healthy{}; // rules whose service works there, as it last said
};

struct Status {
    NodeState state = NodeState::joining;
    std::string reason; // why this node is not serving; empty when it is
    Life life = 0;
    View view;               // the newest applied
    bool installed = false;  // its buckets are served: every member has reported it
    bool as_asked = false;   // it gives this node the weight and the rules that it asks for
    NodeId leader = kNoNode; // followed, or this node
    Role role = Role::joining;
    bool staged = false;             // another configuration is ready ...
    std::vector<NodeId> unstaged;    // ... and these members have not staged it yet,
    std::vector<NodeId> staged_another; // these of them because they have staged a different one
    bool removed = false; // the staged one is in force on the others, and does not list this node
    Electorate electorate;         // as kept on disk; unknown: `serve`, or the cluster's is not known here yet
    Time lease_until{};            // boot clock; the filter stops by itself then
    std::vector<PeerStatus> nodes; // every configured one, this one included
};

// A leader that was heard leading or standing while it was a node's choice, or the node itself.
struct Led {
    NodeId leader = kNoNode; // none
    Term term = 0;
    Time when{}; // last
    bool operator==(const Led &) const = default;
};

// What a process must not forget: saved before each beat. A successor of one that was killed goes on
// with the same life while its lease holds; another one of the same boot keeps what was promised.
struct Saved {
    Time started{}; // of the first process of this chain
    Life life = 0, previous = 0;
    Sequence sequence = 0; // of the last beat
    Term highest_term = 0;
    Vote vote;
    Led led; // the last one
    std::optional<Time> formerly_led; // when one before that last was
    View view; // applied
    bool installed = false, serving = false;
    std::optional<Time> lease_until; // of a member
    bool operator==(const Saved &) const = default;
};

class Membership {
  public:
    // saved: of the process before this one, of the same node and boot. Goes on with its life if that is
    // resumable; else begins another one, which says that the former is over, and keeps its promises.
    // Precondition: the filter accepts nothing any more by then.
    // kept: the electorate that is on this node's disk; `serve`: none.
    Membership(Settings settings, Time now, Life life, const std::optional<Saved> &saved = {},
               const Electorate &kept = {});
    ~Membership();
    Membership(Membership &&) noexcept;
    Membership &operator=(Membership &&) noexcept;

    // now never goes back. random: 64 fresh random bits.
    Outcome step(Time now, std::uint64_t random, const Event &event);

    // The beat to send after an outcome that says so; every call numbers a new one.
    Beat beat(Time now, const GroupSet &lingering, Digest ownership);

    Saved save() const;
    // Its lease holds, and it was not in the middle of a hand-over: it serves exactly what its view
    // gives.
    static bool resumable(const Saved &saved, const Settings &settings, Time now);

    // This node hears no node that could be serving, and serves only while its witness answers: ask
    // it now.
    bool asks_witness(Time now) const;

    // A beat that follows another one sooner is not sent in its turn.
    Duration turn() const;
    Time wake_at() const;     // deliver a Tick then at the latest
    Time lease_until() const; // after which nothing may be accepted; Time{0}: nothing now
    bool active() const;      // it serves, and has a weight: new clients come to it
    GroupSet guarded() const; // groups in which a peer holds, or may hold, connections
    // Those of which it says so, as far as its word holds; all of them for a member whose word does not reach this node.
    GroupSet held_by(NodeId peer) const;
    Status status(Time now) const;

    struct State; // state.hpp, private to this folder
  private:
    std::unique_ptr<State> state_;
};

} // namespace heartbeat
