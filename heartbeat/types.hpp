// SPDX-License-Identifier: Apache-2.0
// The nouns of the membership protocol, and the values that they are made of.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string_view>
#include <vector>

namespace heartbeat {

// Time since boot (CLOCK_BOOTTIME: it goes on while the machine sleeps). Virtual in the simulator.
using Time = std::chrono::nanoseconds;
using Duration = std::chrono::nanoseconds;
inline constexpr Time kNever = Time::max();

inline constexpr unsigned kMaxNodes = 32;
inline constexpr unsigned kMaxRules = 32;

enum class NodeId : std::uint8_t {}; // 1 to kMaxNodes
inline constexpr NodeId kNoNode{0};
constexpr unsigned index(NodeId id) { return static_cast<unsigned>(id); }

using NodeBits = std::uint32_t; // bit id - 1: that node
constexpr NodeBits bit(NodeId id) { return NodeBits{1} << (index(id) - 1); }

using Life = std::uint64_t; // random, new at every start and every expired lease; 0: none
using Sequence = std::uint64_t;
using Term = std::uint64_t;
using Digest = std::uint64_t;

// Of a view: two leaders of one term (both halves of a partition, or before and after all but one have
// forgotten their terms) number alike, so the author is a part of it. Term 0: no view.
struct ViewNumber {
    Term term = 0;
    NodeId leader = kNoNode; // its author
    std::uint64_t number = 0;
    bool operator==(const ViewNumber &) const = default;
    // As leaders outrank each other: the higher term, then the lower id.
    std::strong_ordering operator<=>(const ViewNumber &other) const {
        if (const auto by_term = term <=> other.term; by_term != 0) return by_term;
        if (const auto by_leader = other.leader <=> leader; by_leader != 0) return by_leader;
        return number <=> other.number;
    }
};

using RuleBits = std::uint32_t; // bit r: rule r of the configuration

inline constexpr unsigned kGroups = 512; // of buckets; the unit in which lingering is reported
using GroupSet = std::array<std::uint64_t, kGroups / 64>;

struct Member {
    NodeId id = kNoNode;
    Life life = 0;
    std::uint8_t weight = 0; // effective, 0 to 100; 0 holds no bucket
    RuleBits eligible = 0;   // the rules that it serves
    auto operator<=>(const Member &) const = default;
};

// The members of the cluster. Only a leader makes one; everything about ownership follows from it.
struct View {
    ViewNumber number;
    Digest config = 0;           // the configuration that it was made for
    std::vector<Member> members; // by ascending id
    bool operator==(const View &) const = default;

    const Member *find(NodeId id) const;
    bool holds(NodeId id, Life life) const;
};

// `quorum`: the nodes of which a majority decides, and while their list changes a majority of the former ones as well
// (joint consensus, as in Raft: Ongaro, Ousterhout, "In Search of an Understandable Consensus Algorithm", section 6). It
// is kept on disk before it counts, and only a leader makes another one. What was made in a higher term or step is newer.
struct Electorate {
    Term term = 0;              // of the leader that made or claimed it; 0: it is the first one
    NodeId leader = kNoNode;    // that one
    std::uint16_t step = 0;     // in its term; 0: this node does not know any electorate
    Term made_term = 0;         // of the step that made these nodes the electorate: a first step only claims them, and
    std::uint16_t made_step = 0; // does not make them newer
    NodeBits nodes = 0, former = 0; // former: 0 unless the list changes
    bool operator==(const Electorate &) const = default;

    bool known() const { return step != 0; }
    bool lists(NodeId id) const { return (nodes | former) & bit(id); }
    bool older_than(const Electorate &other) const {
        return made_term != other.made_term ? made_term < other.made_term : made_step < other.made_step;
    }
    bool has_majority(NodeBits together) const;
};

enum class NodeState : std::uint8_t { joining, active, draining, stopped, suspended, fenced, dead };
std::string_view to_string(NodeState state);

} // namespace heartbeat
