// SPDX-License-Identifier: Apache-2.0
//
// Beats as datagrams: a fixed layout in network byte order, sealed with a keyed BLAKE2b over all of
// it. Bytes from the network never throw and never log: opening one gives a beat or the reason why
// not.
#pragma once

#include "heartbeat/beat.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace heartbeat {

struct Saved; // membership.hpp

inline constexpr std::size_t kMaxDatagram = 1400; // bytes, tag included

using BeatKey = std::array<std::uint8_t, 32>; // beats only, derived from the cluster key

struct Envelope {
    std::uint64_t cluster = 0; // digest of the cluster's name
    BeatKey key{};
    std::optional<BeatKey> other; // while the key is changed: what it seals is opened too
};
Envelope make_envelope(std::string_view cluster_name, const BeatKey &key,
                       const std::optional<BeatKey> &other = std::nullopt);

// In the order in which a datagram is judged.
enum class Refusal : std::uint8_t {
    too_short,
    too_long,
    foreign_protocol,
    foreign_cluster, // so far, and with the sender, the layout is the same in all versions
    other_version,
    bad_tag,
    malformed, // by open()
    own_echo,
    id_taken,
    replayed,
    superseded,
    unknown_node, // by the membership
};
inline constexpr std::size_t kRefusals = 12;
std::string_view to_string(Refusal refusal);

// Precondition: the beat holds at most kMaxNodes members and quotes and 80 sections.
std::vector<std::uint8_t> seal(const Beat &beat, const Envelope &envelope);
std::variant<Beat, Refusal> open(std::span<const std::uint8_t> datagram, const Envelope &envelope);

// The sender that an unreadable beat names: any host may forge it.
NodeId claimed_sender(std::span<const std::uint8_t> datagram);

// A life as bytes for its successor on the same machine, bound to the node. Not for the wire.
std::vector<std::uint8_t> pack(const Saved &saved, NodeId self);
// Nothing when it is another's, of another version, or damaged.
std::optional<Saved> unpack(std::span<const std::uint8_t> bytes, NodeId self);

} // namespace heartbeat
