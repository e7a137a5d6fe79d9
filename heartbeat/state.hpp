// SPDX-License-Identifier: Apache-2.0
//
// What one node knows and what it has promised: the data behind Membership, private to this folder.
//
// Received beats are only recorded (peers.cpp). All decisions are taken on a Tick, which the driver
// delivers when every waiting datagram has been recorded, in the order of `decide`
// (membership.cpp): whom to follow or support (election.cpp), what the followed leader's view means
// for this node (following.cpp), and for a leader which view to issue (views.cpp). So nothing is ever
// judged late because its proof of life waits in a queue.
#pragma once

#include "heartbeat/membership.hpp"

#include <algorithm>
#include <array>
#include <deque>

namespace heartbeat {

// A life whose beats were not believed.
struct Claim {
    Life life = 0;
    Sequence sequence = 0; // of the last beat
    Time when{};           // and when that came
    Time since{};          // when the first one came
};

// The connections that a node says it holds, in a life that is not believed yet but hears this node.
struct Doubted {
    GroupSet lingering{};
    Time when = -std::chrono::hours(1);
};

// One other node as this one hears it.
struct Peer {
    Life life = 0;                // the one that is believed; 0: never heard
    std::deque<Life> superseded;  // earlier ones, newest last
    std::deque<Claim> claims;     // of its other lives, the one heard last at the back
    Beat beat;                   // its last
    Time heard{};                // when that came
    Time first_heard{};          // of this life
    Time state_since{};          // when the state that it last said was first heard
    std::optional<Time>
        counted; // when its last beat came that quotes one of mine, of this life, young enough
    std::optional<Time> touched; // the same, of whichever lives
    std::optional<Time> quoted;  // when my newest beat that it has quoted was sent
    std::optional<Time> active;  // when it was last known to hold a place in a view, at first hand
    std::optional<Time> vouched; // the same by another peer's word
    std::optional<Time> anew;    // the same by its own, in a later life that is not believed yet
    Doubted doubted;
    std::optional<Duration> ahead; // by at least this my clock was ahead of its, as of `ahead_at`
    Time ahead_at{};
    std::string mismatch; // why its configuration keeps it out, as last noted
};

// Another process that uses this node's id, seen by its beats. One that counts is alive: both quote
// each other, as any two nodes do.
struct Twin {
    Life life = 0;
    Sequence sequence = 0;
    Time heard{};
    std::optional<Time> counted;
    bool active = false;
};

enum class Wish : std::uint8_t { serve, drain, stop, suspend, leave };

// What a successor goes on with is here too, under the same names (Saved).
struct Membership::State : Saved {
    Settings settings;
    std::optional<Settings> staged; // of the same times
    std::vector<NodeId> awaited;    // members when it was staged: none of them is to be left behind
    Duration leader_timeout, lease;
    Electorate electorate;             // as kept on disk
    std::optional<Electorate> keeping; // on its way there

    // Myself.
    std::deque<Life> ended; // earlier lives of this process
    Time up_since{};  // of this process
    Time born{};      // of this life
    Time last_step{}; // time never goes back
    Time late_until{};
    Wish wish = Wish::serve;
    bool gone = false;                        // left for good
    NodeState shown = NodeState::joining;     // state_of, as of the last step
    Time shown_since{};                       // and since when
    bool fenced = false;                      // a lease ran out, not active again yet
    Time witness_at = -std::chrono::hours(1); // when the last question that it answered was asked
    Time deaf_at = -std::chrono::hours(1);    // when it was last cut off or mute
    Time unreadable_at = -std::chrono::hours(1); // when one outside a view last heard what it cannot read
    std::deque<std::pair<Sequence, Time>>
        sent; // my beats of this life, no older than any that is quoted
    Time next_beat{}, next_tick{};
    std::optional<Twin> twin;
    std::string refused_why;

    // The others.
    std::array<Peer, kMaxNodes + 1> peers;

    // Leadership.
    std::optional<Time> told_of_led;  // the latest such moment that another node has told of
    Role role = Role::joining;
    NodeId choice = kNoNode; // followed or supported; myself when standing or leading
    Term term = 0;           // of the leader followed, or my own
    Time stood_at{};

    // The view and what it lets me do.
    std::optional<Time> done; // leader: since when it is reported by all
    Time held_since{}; // the office, from before the first vote, or the place: since when it is held without a lease
    Time office_since{}; // leader: when this term began

    std::uint64_t random = 0; // of this step
    Outcome out;

    bool member() const { return view.holds(settings.self, life); }
    bool fresh(const Peer &peer, Time now, Duration age) const {
        return peer.life != 0 && now - peer.heard < age;
    }
    bool counts(const Peer &peer, Time now, Duration age) const {
        return peer.counted && now - *peer.counted < age;
    }
    // Heard within leader_timeout in both directions, there and back.
    bool in_touch(const Peer &peer, Time now) const {
        return counts(peer, now, leader_timeout) && peer.quoted && now - *peer.quoted < leader_timeout;
    }
    bool late(Time now) const { return now < late_until; }
    bool quorum() const { return settings.partition == Partition::quorum; }
    // After a start, or when it could hear nothing, or not read what it heard: others may be serving, and it
    // holds no view that names them.
    bool listening(Time now) const {
        return !member() && now - std::max({started, deaf_at, unreadable_at}) < settings.dead_after;
    }
    bool hears_unreadable(Time now) const { return now - unreadable_at < settings.dead_after; }
    // For how long after its last sign a node counts as possibly serving: one that has a place in
    // this node's own view serves nothing beyond it.
    Duration doubt(NodeId id) const {
        return member() && view.find(id) ? leader_timeout : settings.dead_after;
    }
    // Every other node that is listed or was heard. One that is not listed (`serve`) is quoted, so that it knows who
    // serves, and can delay as any other; it is never added.
    template <class F>
    void each_peer(F &&visit) {
        visit_peers(*this, visit);
    }
    template <class F>
    void each_peer(F &&visit) const {
        visit_peers(*this, visit);
    }
    template <class Self, class F>
    static void visit_peers(Self &state, F &&visit) {
        for (std::uint8_t i = 1; i <= kMaxNodes; ++i)
            if (const NodeId id{i}; id != state.settings.self && (state.peers[i].life != 0 || state.settings.lists(id)))
                visit(id, state.peers[i]);
    }
    // The staged configuration does not list this node. It leaves when the leader has taken its buckets away.
    bool to_be_removed() const { return staged && !staged->lists(settings.self); }
    void note(Note::Kind kind, std::string text) { out.notes.push_back({kind, std::move(text)}); }
};

using State = Membership::State;

inline constexpr std::size_t kRememberedLives =
    64; // a replay of an older life than these could only delay, for a while

// No node quotes a beat for longer after it was sent, not even one that travelled slowly.
inline Duration oldest_quote(const State &state) { return 3 * state.settings.dead_after; }

inline bool has_staged(const Beat &beat, Digest config) {
    return beat.staged != 0 && beat.staged == config;
}
// The same configuration, or one of the two is about to change to the other's.
bool compatible(const State &state, const Beat &beat);
inline bool leads(const Beat &beat) { return beat.role == Role::leading && beat.view; }
// In this term.
inline bool follows_me(const State &state, const Beat &beat) {
    return beat.role == Role::following && beat.choice == state.settings.self && beat.term == state.term;
}

// peers.cpp: records a beat, in the order of the reject ladder; no decision is taken. What an unknown_node says is
// recorded, too, in `serve`.
std::optional<Refusal> record(State &state, Time now, const Beat &beat);
// Heard, but without an answer to this node's own beats for longer than it may delay anything.
bool deaf(const State &state, const Peer &peer, Time now);
std::string difference(const State &state,
                       const Beat &beat);          // sections in which the configurations differ
void judge_configurations(State &state, Time now); // which of the two has to stay out, and why

// election.cpp
void choose(State &state, Time now); // follow, support, stand, vote, win
bool may_lead(const State &state, Time now);
Leadership highest_leader(const State &state, Time now);
bool electable(const State &state, Time now);
std::optional<Time> last_led(const State &state); // when a leader of its choice was last heard, or led itself
// A leader's: when another one, or itself in another office, last led, as far as it and those that it heard know.
std::optional<Time> last_of_others(const State &state);
void note_led(State &state, NodeId leader, Term term, Time when);

// electorate.cpp
bool has_vote(const State &state, const Electorate &electorate); // of a node that has kept this one
void change_electorate(State &state, Time now); // keeps what is due
void kept(State &state, const Electorate &electorate);
// Both majorities have kept it: a view may name the staged list. Precondition: one is staged.
bool can_name_staged(const State &state, Time now);
// A leader's: nodes of the staged list of which too few follow it for a majority; none: enough do.
std::vector<NodeId> missing_to_staged(const State &state, Time now);

// views.cpp, for a leader
bool take_office(State &state,
                 Time now);        // inherits the newest view of the electorate; false: out of it
void lead(State &state, Time now); // issues the view that is due, marks it done

// following.cpp
void end_life(State &state, Time now, const std::string &why);
bool knows(const State &state, Digest config); // has it, or has it staged
void configure(State &state, Digest config);   // brings it into force. Precondition: knows it
void configure_alone(State &state, Time now);  // outside, and no node is present to be waited for
// Members, and nodes that were members when the configuration was staged, that have not got it.
// Precondition: one is staged.
std::vector<NodeId> without_staged(const State &state, const std::vector<Member> &members, Time now);
void follow_view(State &state, Time now); // what the followed leader's last beat means for me
void apply(State &state, const View &view);
void serve(State &state);
// No node that serves was heard within leader_timeout, nor within D one of a life that is not in this node's view.
bool quiet(const State &state, Time now);
// Without a lease, without a peer or another node that serves, and the witness is silent.
bool cut_off(const State &state, Time now);
// Outside the view, it hears nodes that serve, and none hears it. When that ends, they may serve on
// for a lease in which it does not hear them.
bool mute(const State &state, Time now);
void extend_lease(State &state, Time now);
void leave_when_released(State &state, Time now);
std::uint8_t wished_weight(const State &state);
bool wants_in(const State &state);

// status.cpp
inline constexpr std::string_view kUnreadable =
    "hears beats of this cluster under another key or of another version";
NodeState state_of(const State &state); // as told to others
std::string name(const State &state, NodeId id);
std::string name(const ViewNumber &number);
// From the applied view to the next: which members came or went and why, as far as this node can
// tell.
std::string change(const State &state, const View &next);

} // namespace heartbeat
