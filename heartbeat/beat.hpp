// SPDX-License-Identifier: Apache-2.0
//
// A beat: everything that one node says, once per interval and at once when something changed. Each
// is complete, so any number may be lost. The wire format is codec.hpp's business.
#pragma once

#include "heartbeat/types.hpp"

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace heartbeat {

// Raised also when the meaning of a bucket changes: two that hash differently must not share a view.
inline constexpr std::uint8_t kProtocolVersion = 9;

enum class Role : std::uint8_t { joining, following, supporting, standing, leading };

struct Vote {
    Term term = 0;
    NodeId candidate = kNoNode;
    auto operator<=>(const Vote &) const = default;
};

struct Leadership { // a higher term wins, in the same term the lower id
    Term term = 0;
    NodeId leader = kNoNode;
    bool operator==(const Leadership &) const = default;
    bool above(const Leadership &other) const;
};

inline constexpr std::uint16_t kLongAgo =
    0xffff; // milliseconds: never, or longer ago than can be said

inline constexpr std::uint32_t kUncounted = 0xffffffff;

struct Quote { // "I heard you": the newest beat of this peer that the sender has taken in
    NodeId peer = kNoNode;
    Life life = 0;
    Sequence sequence = 0;
    std::uint16_t active_ago_ms = kLongAgo; // since the sender itself heard it active
    bool operator==(const Quote &) const = default;
};

struct Beat {
    NodeId sender = kNoNode;
    Life life = 0;
    Life previous = 0; // of this process, ended before this one began; 0: none
    Sequence sequence = 0;
    Time clock{}; // the sender's, as it was sent
    NodeState state = NodeState::joining;
    std::uint8_t weight = 0; // wished for; the view says what counts
    RuleBits eligible = 0;   // likewise: rules that it is willing to serve
    RuleBits healthy = 0;    // rules whose service works there
    Role role = Role::joining;
    NodeId choice = kNoNode; // the node that is followed, supported or voted for
    Term term = 0;           // of the leader followed, or one's own when standing or leading
    bool may_lead = false;
    Vote vote;          // the highest given
    Leadership highest; // the highest leader that the sender hears itself, or is
    Leadership led; // the last leader or candidate of its choice that it heard, or itself,
    std::uint16_t led_ago_ms = kLongAgo;          // and how long ago;
    std::uint16_t formerly_led_ago_ms = kLongAgo; // likewise one before that one
    ViewNumber
        applied; // the newest view that the sender has applied and that holds its life; {0,0}: none
    bool done = false;                // leader: every member has reported the view that it sends
    std::uint32_t lease_left_ms = 0; // leader: its own right to serve, rounded down
    std::optional<View> view; // leader: its own; a member without a leader: the one it has applied
    Digest config = 0;
    Digest staged = 0; // the one it is ready to change to; 0: none
    RuleBits staged_eligible = 0, staged_healthy = 0; // under that one
    std::vector<std::uint16_t>
        sections;         // short digests of the configuration's sections, to name a difference
    Electorate electorate; // that the sender has kept; serve: none
    Digest ownership = 0; // of the applied view's tables
    GroupSet lingering{}; // groups in which the sender may still hold connections
    std::uint32_t connections = kUncounted; // open to the virtual IPs, as last counted
    std::array<std::uint8_t, 6> mac{}; // of its clients' interface; all zero: not known
    NodeBits hears_at_clients = 0; // whom the sender hears on its clients' interface
    std::vector<Quote> quotes;
    bool operator==(const Beat &) const = default;
};

} // namespace heartbeat
