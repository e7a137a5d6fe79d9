// SPDX-License-Identifier: Apache-2.0
// Beats on their way, and the attacker that repeats old ones.
#include "world.hpp"

#include <utility>

namespace sim {

using heartbeat::index;

namespace {

constexpr std::size_t kMostRecorded = 1000;

} // namespace

heartbeat::Envelope envelope(const Node &node) {
    return heartbeat::make_envelope("simulated", {static_cast<std::uint8_t>(node.key)});
}

void World::send(Node &node, std::span<const std::uint8_t> bytes, bool urgent) {
    auto datagram = std::make_shared<Datagram>();
    datagram->bytes.assign(bytes.begin(), bytes.end());
    datagram->beat = std::get<heartbeat::Beat>(heartbeat::open(bytes, envelope(node)));
    datagram->urgent = urgent && options_.marks;
    const heartbeat::Beat &beat = datagram->beat;
    check_office(node, beat);
    consider_transition(node, beat);
    if (!node.agent_up()) return; // killed between the note and the beat
    const unsigned from = index(node.id);
    if (now_ - node.last_beat > options_.lease()) trouble(from, 2 * options_.dead_after);
    node.last_beat = now_;
    if (options_.replays && recorded_.size() < kMostRecorded)
        recorded_.push_back(datagram);
    else if (options_.replays && attacker_() % 16 == 0)
        recorded_[attacker_() % kMostRecorded] = datagram;
    if (beat.state == heartbeat::NodeState::dead) { // farewell: it takes its addresses along
        kill(from);
        node.host = {};
        node.saved.reset();
    }
    for (unsigned plane = 0; plane < options_.planes; ++plane)
        if (node.speaks(plane)) send_on(plane, from, datagram);
}

void World::send_on(unsigned plane, unsigned from, const std::shared_ptr<const Datagram> &datagram) {
    for (unsigned to = 1; to <= options_.nodes; ++to) {
        const Link &link = links_[plane][from][to];
        if (to == from || !link.up || !nodes_[to].hears(plane)) continue;
        if (link.loss > 0 && chance(link.loss)) continue;
        const int copies = link.duplicate > 0 && chance(link.duplicate) ? 2 : 1;
        for (int copy = 0; copy < copies; ++copy)
            after(between(link.delay_min, link.delay_max), [this, to, datagram, plane] { deliver(to, datagram, plane); });
    }
}

void World::consider_transition(Node &node, const heartbeat::Beat &beat) {
    if (!at_transition_ || !faulty_) return;
    std::uint64_t digest = 0;
    for (const std::uint64_t part :
         {static_cast<std::uint64_t>(beat.role), std::uint64_t{index(beat.choice)}, beat.term, beat.vote.term,
          beat.applied.term, beat.applied.number, std::uint64_t{beat.done}, std::uint64_t{node.saved->installed},
          std::uint64_t{node.saved->lease_until.has_value()}, node.saved->life})
        digest = (digest ^ part) * 0x100000001b3;
    if (std::exchange(node.seen, digest) != digest && chance(transition_probability_))
        at_transition_(index(node.id));
}

// One of the beats of any time and node, to any node, its sender too; some 25 a second and node.
void World::replay() {
    auto among = [this](std::uint64_t count) { return attacker_() % count; };
    if (!recorded_.empty()) {
        const unsigned to = 1 + static_cast<unsigned>(among(options_.nodes));
        if (nodes_[to].hears(kClientsPlane)) deliver(to, recorded_[among(recorded_.size())], kClientsPlane);
    }
    const Duration mean = options_.scaled(40ms) / options_.nodes;
    after(Duration(static_cast<std::int64_t>(among(2 * static_cast<std::uint64_t>(mean.count())))),
          [this] { replay(); });
}

void World::deliver(unsigned to, const std::shared_ptr<const Datagram> &datagram, unsigned plane) {
    Node &node = nodes_[to];
    if (!node.agent_up() || now_ < node.paused_until || node.inbox.size() > 4000) return;
    node.inbox.push_back({datagram, plane});
    if (datagram->urgent || now_ >= node.rests_until) return turn(node);
    if (std::exchange(node.reads_at, node.rests_until) != node.rests_until)
        at(node.rests_until, [this, &node] { turn(node); });
}

} // namespace sim
