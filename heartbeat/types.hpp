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

using Life = std::uint64_t; // random, new at every start and every expired lease; 0: none
using Sequence = std::uint64_t;
using Term = std::uint64_t;
using Digest = std::uint64_t;

// Views are numbered by their leader's term first. {0, 0}: no view.
struct ViewNumber {
    Term term = 0;
    std::uint64_t number = 0;
    auto operator<=>(const ViewNumber &) const = default;
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

// Who is in the cluster. Only a leader makes one; everything about ownership follows from it.
struct View {
    ViewNumber number;
    NodeId leader = kNoNode;
    Digest config = 0;           // the configuration that it was made for
    std::vector<Member> members; // by ascending id
    bool operator==(const View &) const = default;

    const Member *find(NodeId id) const;
    bool holds(NodeId id, Life life) const;
};

enum class NodeState : std::uint8_t { joining, active, draining, stopped, suspended, fenced, dead };
std::string_view to_string(NodeState state);

} // namespace heartbeat
