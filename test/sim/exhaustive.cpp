// SPDX-License-Identifier: Apache-2.0
//
// Chance finds what is likely; this finds what is near. A cluster forms, and at each of its first transitions (a role,
// vote, term, view, done mark or lease has changed and is noted, and no other node has heard of it yet) each fault is
// tried; after it, at each of the next transitions, each second one, and so on. A world cannot be copied, so each
// course is played from the start: it takes milliseconds. Where two courses come to the same state, one of them goes
// on. States are compared without times, so that what differs by milliseconds alone counts as one.
#include "exhaustive.hpp"

#include "clients.hpp"
#include "faults.hpp"
#include "steps.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <thread>

namespace sim {
namespace {

constexpr unsigned kNodes = 3, kTransitions = 30, kClients = 6;
constexpr Duration kLength = 5s;

void restart(World &world, unsigned id, Duration away, bool host) {
    host ? world.crash(id) : world.kill(id);
    world.later(away, [&world, id] { world.start(id); });
}

void cut_off(World &world, unsigned id, Duration length) {
    std::vector<bool> side(kNodes + 1);
    side[id] = true;
    partition(world, side, false, length);
}

struct Fault {
    const char *name;
    void (*strike)(World &, unsigned);
};

constexpr Fault kFaults[] = {
    {"rebooted", [](World &world, unsigned id) { restart(world, id, 1ms, true); }},
    {"down", [](World &world, unsigned id) { restart(world, id, 700ms, true); }},
    {"restarted", [](World &world, unsigned id) { restart(world, id, 1ms, false); }},
    {"restarted late", [](World &world, unsigned id) { restart(world, id, 450ms, false); }},
    {"killed between its next writes", [](World &world, unsigned id) { world.light_fuse(id, 3, 1ms); }},
    {"stalled", [](World &world, unsigned id) { world.stall(id, 350ms); }},
    {"stalled for long", [](World &world, unsigned id) { world.stall(id, 650ms); }},
    {"cut off", [](World &world, unsigned id) { cut_off(world, id, 300ms); }},
    {"cut off for long", [](World &world, unsigned id) { cut_off(world, id, 1200ms); }},
    {"deaf", [](World &world, unsigned id) { damage_cable(world, id, Cable::deaf, 600ms); }},
    {"paused with its clock", [](World &world, unsigned id) { world.pause(id, 700ms); }},
};

} // namespace

std::string Exhaustive::text(const Course &course) {
    std::string text;
    for (const Choice &choice : course)
        text += (text.empty() ? "" : ", ") + std::to_string(choice.transition) + ": node " +
                std::to_string(1 + choice.kind % kNodes) + " " + kFaults[choice.kind / kNodes].name;
    return text.empty() ? "no fault" : text;
}

std::uint64_t Exhaustive::digest(const World &world, unsigned changed) {
    std::uint64_t digest = 0xcbf29ce484222325;
    auto add = [&](std::uint64_t part) { digest = (digest ^ part) * 0x100000001b3; };
    add(changed);
    for (unsigned id = 1; id <= kNodes; ++id) {
        const Node &node = world.node(id);
        const bool stalled = world.now() < node.stalled_until, asleep = node.paused_at != kAwake;
        add(node.host_up | node.agent_up() << 1 | node.hears(kClientsPlane) << 2 | node.speaks(kClientsPlane) << 3 | stalled << 4 | asleep << 5);
        for (unsigned other = 1; other <= kNodes; ++other)
            add(world.link(id, other).up);
        if (!node.agent_up() || !node.saved) continue;
        const auto status = node.agent().status(node.local(world.now()));
        const auto &saved = *node.saved;
        for (const std::uint64_t part :
             {std::uint64_t(status.role), std::uint64_t(status.leader), saved.highest_term, saved.vote.term,
              std::uint64_t(saved.vote.candidate), saved.view.number.term, std::uint64_t(saved.view.number.leader),
              saved.view.number.number, std::uint64_t(saved.installed), std::uint64_t(saved.lease_until.has_value()),
              std::uint64_t(saved.led.leader), std::uint64_t(node.local(world.now()) < node.host.lease())})
            add(part);
        for (const heartbeat::Member &member : saved.view.members)
            add(std::uint64_t(member.id) << 8 | member.weight);
    }
    return digest;
}

bool Exhaustive::is_new(std::uint64_t state) {
    std::lock_guard lock(mutex_);
    return seen_.insert(state).second;
}

std::vector<Course> Exhaustive::play(const Course &course, bool branch, bool trace) {
    World world(1, {.nodes = kNodes, .partition = partition_, .trace = trace});
    std::vector<Course> next;
    unsigned transition = 0;
    std::size_t struck = 0;
    world.at_transitions(1, [&](unsigned id) {
        ++transition;
        const unsigned from = course.empty() ? 0 : course.back().transition;
        if (struck < course.size() && course[struck].transition == transition) {
            const unsigned kind = course[struck++].kind;
            kFaults[kind / kNodes].strike(world, 1 + kind % kNodes);
        } else if (branch && struck == course.size() && transition <= from + kTransitions &&
                   is_new(digest(world, id))) {
            for (unsigned kind = 0; kind < kNodes * std::size(kFaults); ++kind) {
                next.push_back(course);
                next.back().push_back({transition, kind});
            }
        }
    });
    try {
        Clients clients(world, kClients);
        clients.open_all();
        for (unsigned id = 1; id <= kNodes; ++id)
            world.after(20ms * id, [&world, id] { world.start(id); });
        world.run_until(kLength);
        heal(world);
    } catch (const Violation &violation) {
        throw Violation(text(course) + ": " + violation.what());
    }
    return next;
}

int explore(heartbeat::Partition partition, unsigned faults, unsigned threads, double minutes) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::duration<double>(minutes * 60);
    Exhaustive exhaustive(partition);
    std::vector<Course> courses{{}};
    std::size_t failed = 0;
    for (unsigned depth = 0; depth <= faults; ++depth) {
        std::vector<Course> next;
        std::mutex mutex;
        std::atomic<std::size_t> taken{0}, played{0};
        auto work = [&] {
            for (std::size_t i = taken++; i < courses.size() && Clock::now() < end; i = taken++) {
                std::vector<Course> more;
                std::string found;
                try {
                    more = exhaustive.play(courses[i], depth < faults, false);
                } catch (const Violation &violation) {
                    found = violation.what();
                }
                ++played;
                std::lock_guard lock(mutex);
                std::move(more.begin(), more.end(), std::back_inserter(next));
                if (!found.empty() && ++failed <= 10) std::printf("%s\n", found.c_str());
            }
        };
        std::vector<std::thread> pool;
        for (unsigned i = 0; i < threads; ++i)
            pool.emplace_back(work);
        for (auto &thread : pool)
            thread.join();
        std::printf("%u faults: %zu of %zu courses, %zu failed so far\n", depth, played.load(), courses.size(), failed);
        std::fflush(stdout);
        courses = std::move(next);
    }
    return failed ? 1 : 0;
}

} // namespace sim
