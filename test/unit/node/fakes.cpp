// SPDX-License-Identifier: Apache-2.0
#include "test/unit/node/fakes.hpp"

#include <bit>
#include <utility>

namespace agent_test {

using namespace std::chrono_literals;

TestCluster::TestCluster(unsigned nodes) {
    std::vector<heartbeat::NodeId> ids;
    for (unsigned i = 1; i <= nodes; ++i)
        ids.push_back(heartbeat::NodeId(i));
    const heartbeat::Envelope envelope = test_envelope();
    for (std::size_t i = 0; i < nodes; ++i)
        machines_.push_back(std::make_unique<Machine>());
    for (std::size_t i = 0; i < nodes; ++i) {
        Machine &machine = *machines_[i];
        machine.start = [this, &machine, i, ids, envelope] {
            machine.node.reset();
            machine.node = std::make_unique<agent::Node>(
                settings(static_cast<int>(i) + 1), now_,
                agent::Serving(ids[i], ids, {shared_rule()}, 0), envelope, machine.datapath,
                [this, i](std::span<const std::uint8_t> datagram, bool) {
                    flights_.push_back({i, {datagram.begin(), datagram.end()}});
                },
                [&machine](const heartbeat::Note &note) { machine.notes.push_back(note.text); });
        };
        machine.start();
    }
}

heartbeat::Settings TestCluster::settings(int id) const {
    heartbeat::Settings settings;
    settings.self = heartbeat::NodeId(id);
    for (std::size_t i = 1; i <= machines_.size(); ++i)
        settings.nodes.push_back(heartbeat::NodeId(i));
    return settings;
}

void TestCluster::run(heartbeat::Duration time) {
    for (const heartbeat::Time end = now_ + time; now_ < end;) {
        now_ += 1ms;
        const std::vector<Flight> arriving = std::exchange(flights_, {});
        for (const Flight &flight : arriving)
            for (std::size_t to = 0; to < machines_.size(); ++to)
                if (to != flight.from && machines_[to]->node && machines_[flight.from]->connected &&
                    machines_[to]->connected)
                    machines_[to]->node->receive(now_, flight.datagram);
        for (auto &machine : machines_) {
            if (!machine->node) continue;
            machine->node->tick(now_);
            if (now_ % 1s == 0s) machine->node->connections(now_, 12, machine->connections);
        }
    }
}

std::pair<unsigned, unsigned> TestCluster::unserved_and_doubled() const {
    unsigned unserved = 0, doubled = 0;
    for (std::size_t word = 0; word < filter::kBuckets / 64; ++word) {
        std::uint64_t once = 0, again = 0;
        for (const auto &machine : machines_) {
            if (machine->datapath.lease <= static_cast<std::uint64_t>(now_.count())) continue;
            const std::uint64_t mine = machine->datapath.tables[0].mine[word];
            again |= once & mine;
            once |= mine;
        }
        unserved += static_cast<unsigned>(std::popcount(~once));
        doubled += static_cast<unsigned>(std::popcount(again));
    }
    return {unserved, doubled};
}

} // namespace agent_test
