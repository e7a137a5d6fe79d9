// SPDX-License-Identifier: Apache-2.0
// Nodes that hear each other at once, step by step: for single rules of the protocol.
#pragma once

#include "heartbeat/membership.hpp"

#include <optional>
#include <string>
#include <vector>

namespace wire_test {

using namespace heartbeat;
using namespace std::chrono_literals;


inline NodeId id(unsigned number) { return NodeId{static_cast<std::uint8_t>(number)}; }

inline Settings settings_of(unsigned self, unsigned nodes = 3) {
    Settings settings;
    settings.self = id(self);
    for (unsigned i = 1; i <= nodes; ++i)
        settings.nodes.push_back(id(i));
    settings.config = 1;
    settings.section_names = {"cluster", "rule http"};
    settings.sections = {1, 2};
    return settings;
}

// Nodes on a wire without delay; time goes in steps of one millisecond.
struct Wire {
    Time now = 1s;
    std::vector<std::optional<Membership>> nodes;
    std::vector<std::vector<Note>> notes;
    std::vector<std::vector<Action>> actions;
    Beat last[33];
    unsigned away = 0; // this one hears no other and is not heard

    explicit Wire(unsigned count) : nodes(count + 1), notes(count + 1), actions(count + 1) {}

    // kept: on its disk (`quorum`). What it is to keep then is there at once.
    void add(unsigned number, Settings settings, const Electorate &kept = {}) {
        nodes[number].emplace(std::move(settings), now,
                              1000 * number + static_cast<Life>(now.count()), std::nullopt, kept);
    }
    std::optional<Refusal> give(unsigned number, const Event &event) {
        Outcome outcome = nodes[number]->step(now, 0x1234567812345678 * number, event);
        for (auto &note : outcome.notes)
            notes[number].push_back(note);
        for (auto &action : outcome.actions)
            actions[number].push_back(action);
        if (outcome.send) {
            last[number] = nodes[number]->beat(now, {}, 0);
            for (unsigned other = 1; other < nodes.size(); ++other)
                if (other != number && nodes[other] && number != away && other != away)
                    give_quietly(other, last[number]);
        }
        if (outcome.keep) give(number, event::Kept{*outcome.keep});
        return outcome.refusal;
    }
    void give_quietly(unsigned number, const Beat &beat) {
        Outcome outcome = nodes[number]->step(now, 7, event::Received{beat});
        for (auto &note : outcome.notes)
            notes[number].push_back(note);
        for (auto &action : outcome.actions)
            actions[number].push_back(action);
    }
    void run(Duration length) {
        for (const Time end = now + length; now < end; now += 1ms)
            for (int pass = 0; pass < 4; ++pass)
                for (unsigned number = 1; number < nodes.size(); ++number)
                    if (nodes[number] && nodes[number]->wake_at() <= now)
                        give(number, event::Tick{});
    }
    Status status(unsigned number) const { return nodes[number]->status(now); }
    bool noted(unsigned number, const std::string &text) const {
        for (const Note &note : notes[number])
            if (note.text.find(text) != std::string::npos) return true;
        return false;
    }
};

inline Wire three() {
    Wire wire(3);
    for (unsigned number : {1u, 2u, 3u})
        wire.add(number, settings_of(number));
    wire.run(1s);
    return wire;
}

} // namespace wire_test
