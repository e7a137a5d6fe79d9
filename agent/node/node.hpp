// SPDX-License-Identifier: Apache-2.0
//
// This node: its membership and its datapath, tied together. Every event goes into the membership,
// and what comes out is done in the one order that is safe:
//
//   1. guard       groups in which others hold connections, before any bucket is gained
//   2. lingering   before any bucket is let go, or connections in it would be cut
//   3. tables      Release, Serve and Silence, in the order in which they came
//   4. lease       the filter's own deadline
//   5. the beat    only now may others hear that it was done
//
// It knows no sockets: what it sends goes to a function, and the time comes with each call.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/node/beat_quality.hpp"
#include "agent/node/events.hpp"
#include "agent/node/forwarding.hpp"
#include "agent/node/hearing.hpp"
#include "agent/node/lingering.hpp"
#include "agent/node/serving.hpp"
#include "agent/node/view_changes.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/codec.hpp"
#include "heartbeat/membership.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agent {

// The beats that came in: taken, and refused by reason.
struct BeatCounters {
    std::uint64_t received = 0, sent = 0;
    std::array<std::uint64_t, heartbeat::kRefusals> refused{};
};

// Another configuration, as far as a node knows of it.
struct StagedConfig {
    heartbeat::Settings settings;
    std::vector<heartbeat::RuleOwnership> rules;
    filter::Settings filter;
    heartbeat::Envelope envelope;
    std::vector<heartbeat::Received> received;
    std::vector<std::optional<std::size_t>> former; // for each table the present one that is of the
                                                    // same packets and buckets
    std::function<void()> before{}; // called before the filter learns of it; throws nothing
};

// The nodes whose majority decides (`quorum`), on this node's disk.
struct ElectorateStore {
    heartbeat::Electorate kept{}; // at the start
    std::function<void(const heartbeat::Electorate &)> keep{}; // in its place; then event::Kept. It may take its time
};

class Node {
  public:
    using Send = std::function<void(std::span<const std::uint8_t>, bool urgent)>; // urgent: others wait for it
    using Listener = std::function<void(const heartbeat::Note &)>; // called for every note

    // Goes on with the life of a predecessor that was killed, when the datapath has adopted its
    // tables and its lease still holds; else begins a new one.
    Node(const heartbeat::Settings &settings, heartbeat::Time now, Serving serving,
         heartbeat::Envelope envelope, filter::Datapath &datapath, Send send, Listener listener,
         ElectorateStore electorate = {});

    // A datagram from the heartbeat network, whatever it holds. at_clients: it came in on the clients'
    // interface. Whose beat it was, when it was a new one of this cluster.
    std::optional<heartbeat::NodeId> receive(heartbeat::Time now,
                                             std::span<const std::uint8_t> datagram,
                                             bool at_clients = false);
    // Whether its newest beat was urgent for certain: it followed the one before too soon.
    bool came_early(heartbeat::NodeId sender) const { return early_[heartbeat::index(sender)]; }
    // How long a beat that is not urgent may wait to be received.
    heartbeat::Duration rest() const { return membership_.turn() / 2; }
    // Call when the waiting datagrams have been received, and only then: judges time-outs that are
    // due.
    void tick(heartbeat::Time now);
    void step(heartbeat::Time now, const heartbeat::Event &event);
    // For which rules the service works here, and what there is to tell about that.
    void set_health(heartbeat::Time now, heartbeat::RuleBits healthy,
                    const std::vector<std::string> &texts);
    void wait(Poll &poll) const { poll.at(wake_at()); }
    heartbeat::Time wake_at() const {
        return membership_.wake_at();
    } // for the next tick at the latest
    // To be in force when every member has staged the same one; the present one takes it back.
    void stage(heartbeat::Time now, StagedConfig config);
    // The one that is staged, with what is asked for under it by now.
    void restage(heartbeat::Time now, StagedConfig config);
    heartbeat::Digest config() const { return config_; } // in force
    // The sockets have been listed: so many connections, in these buckets (by table). From what holds
    // none for long enough, lingering is lifted.
    void connections(heartbeat::Time now, std::uint64_t count,
                     const std::vector<filter::BucketSet> &buckets);

    // This node hears no node that could be serving, and serves only while its witness answers.
    bool asks_witness(heartbeat::Time now) const { return membership_.asks_witness(now); }

    // Also makes serving() speak of the view that it returns, which a node outside the cluster only
    // looks on.
    heartbeat::Status status(heartbeat::Time now);
    // What the filter has that is not what this node serves, in words; empty: they agree, as they do between any two
    // calls. To be called about once a second; put_right() writes all of it again when they do not.
    std::string_view differs() const;
    std::string_view put_right();
    std::uint64_t times_put_right() const { return times_put_right_; }
    bool gone(heartbeat::Time now) const; // has left the cluster for good
    heartbeat::NodeId self() const { return self_; }
    const Serving &serving() const { return serving_; }
    bool resumed() const { return resumed_.has_value(); }
    const Lingering &lingering() const { return lingering_; }
    const BeatCounters &beats() const { return beats_; }
    const EventLog &events() const { return events_; }
    const BeatQualities &beat_qualities() const { return beat_qualities_; }
    const ViewChanges &view_changes() const { return view_changes_; }
    const Hearing &hearing() const { return hearing_; }
    // Groups in which a peer may hold connections, and the right to serve, as the filter has them.
    const filter::GroupSet &guarded() const { return guarded_; }
    heartbeat::Time lease_until() const { return lease_; }
    // The virtual IPs for which this node answers (Serving::answered) while its lease holds.
    std::uint32_t answers(heartbeat::Time now) const;
    // Until then routers may send any client's packets here: this node accepts its own and sends the others on. spare:
    // how long before its lease ends. Time{0}: they may not.
    heartbeat::Time receives_until(heartbeat::Duration spare) const;
    // Another number whenever there was something to do or to tell.
    std::uint64_t changes() const { return changes_; }
    // Another number with each view by which packets are sent on.
    std::uint64_t views_served() const { return views_served_; }
    // The clients' interface's, told to the others.
    void set_mac(const filter::MacAddress &mac) { mac_ = mac; }
    const Forwarding &forwarding() const { return forwarding_; }

  private:
    std::uint64_t beats_taken() const;
    bool is_copy(heartbeat::NodeId claimed, std::span<const std::uint8_t> datagram) const;
    void resume(heartbeat::Time now);
    void perform(heartbeat::Time now, const heartbeat::Outcome &outcome);
    void configure(heartbeat::Time now);
    void renew_guard();
    void renew_paths(heartbeat::Time now);
    void renew_numbers(heartbeat::Time now);
    void write_all();
    bool renew_lease(); // true: it is another one now
    void save();        // what a successor goes on with
    void send_beat(heartbeat::Time now, bool urgent);
    void note(heartbeat::Time now, const heartbeat::Note &note);

    heartbeat::Digest config_;
    heartbeat::NodeId self_;
    heartbeat::RuleBits healthy_;
    std::optional<heartbeat::Saved> resumed_;
    std::optional<StagedConfig> staged_;
    std::uint32_t connections_ = heartbeat::kUncounted;
    heartbeat::Membership membership_;
    Serving serving_;
    heartbeat::Envelope envelope_;
    filter::Datapath &datapath_;
    Send send_;
    Listener listener_;
    std::function<void(const heartbeat::Electorate &)> keep_;
    Lingering lingering_;
    Forwarding forwarding_;
    filter::Numbers numbers_; // as the filter has them
    std::uint64_t views_served_ = 0, changes_ = 0, times_put_right_ = 0;
    filter::MacAddress mac_{};
    filter::GroupSet guarded_{};
    heartbeat::Time lease_{};
    BeatCounters beats_;
    EventLog events_;
    BeatQualities beat_qualities_;
    ViewChanges view_changes_;
    Hearing hearing_;
    std::array<std::vector<std::uint8_t>, heartbeat::kMaxNodes + 1> newest_; // beats, by sender
    std::array<heartbeat::Time, heartbeat::kMaxNodes + 1> sent_{};           // when, by their senders' clocks
    std::array<bool, heartbeat::kMaxNodes + 1> early_{};
};

} // namespace agent
