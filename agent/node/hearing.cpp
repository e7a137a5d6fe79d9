// SPDX-License-Identifier: Apache-2.0
#include "agent/node/hearing.hpp"

#include <algorithm>
#include <bit>

namespace agent {
namespace {

using heartbeat::NodeBits;
using heartbeat::NodeId;
using heartbeat::Time;

// Copies of one beat come over several interfaces, and one of these may be slower; a copy older than
// this does not show that the path works now.
constexpr heartbeat::Sequence kBehind = 16; // beats

} // namespace

void Hearing::heard(Time now, const heartbeat::Beat &beat, bool is_new, bool there) {
    Peer &peer = peers_[heartbeat::index(beat.sender)];
    if (is_new) {
        peer.life = beat.life;
        peer.sequence = beat.sequence;
        peer.at = now;
        peer.hears = beat.hears_at_clients;
        peer.ends = beat.state == heartbeat::NodeState::dead;
        if (peer.hears & heartbeat::bit(self_)) spoken_of_ = now;
    } else if (beat.life != peer.life || beat.sequence + kBehind < peer.sequence) {
        return;
    }
    heard_again(now, beat.sender, there);
}

void Hearing::heard_again(Time now, NodeId peer, bool there) {
    if (!there) return;
    peers_[heartbeat::index(peer)].there_at = heard_there_ = now;
    peers_[heartbeat::index(peer)].there = true;
}

bool Hearing::hears_any(Time now) const {
    return std::ranges::any_of(peers_, [&](const Peer &peer) { return alive(peer, now); });
}

NodeBits Hearing::at_clients(Time now) const {
    NodeBits bits = 0;
    for (unsigned id = 1; id < peers_.size(); ++id)
        if (peers_[id].there && now - peers_[id].there_at < dead_after_)
            bits |= heartbeat::bit(NodeId{static_cast<std::uint8_t>(id)});
    return bits;
}

std::optional<Hearing::DeadPath> Hearing::dead_path(Time now) const {
    const bool deaf = now - heard_there_ >= dead_after_;
    if (!deaf && now - spoken_of_ < dead_after_) return std::nullopt;
    for (unsigned id = 1; id < peers_.size(); ++id) {
        const NodeId listener{static_cast<std::uint8_t>(id)};
        const NodeBits others =
            peers_[id].hears & ~(heartbeat::bit(listener) | heartbeat::bit(self_));
        if (!alive(peers_[id], now) || others == 0) continue;
        const auto speaker = static_cast<std::uint8_t>(std::countr_zero(others) + 1);
        return DeadPath{deaf, listener, NodeId{speaker}};
    }
    return std::nullopt;
}

bool Hearing::lost_together(Time now) const {
    const Time last = std::ranges::max_element(peers_, {}, &Peer::at)->at;
    const auto lost = std::ranges::count_if(peers_, [&](const Peer &peer) {
        return peer.life != 0 && !peer.ends && last - peer.at < dead_after_ / 4;
    });
    return lost >= 2 && now - last >= dead_after_;
}

} // namespace agent
