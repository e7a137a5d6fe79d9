// SPDX-License-Identifier: Apache-2.0
// Small scope, exhaustively: three nodes, five seconds, every choice of up to so many faults at the first
// transitions after each other. See exhaustive.cpp.
#pragma once

#include "world.hpp"

#include <mutex>
#include <set>

namespace sim {

// A fault at the transition of this number, counted from the start of the run.
struct Choice {
    unsigned transition = 0, kind = 0;
};
using Course = std::vector<Choice>;

class Exhaustive {
  public:
    explicit Exhaustive(heartbeat::Partition partition) : partition_(partition) {}

    // Plays this course; throws Violation. Returns those to be played after it: with one fault more, at each of the
    // next transitions, except those that come in a state in which another course has been before.
    std::vector<Course> play(const Course &course, bool branch, bool trace);

    static std::string text(const Course &course);

  private:
    // What each node knows, holds and can reach, without times and numbers drawn by chance.
    static std::uint64_t digest(const World &world, unsigned changed);
    bool is_new(std::uint64_t state);

    heartbeat::Partition partition_;
    std::mutex mutex_;
    std::set<std::uint64_t> seen_;
};

// Breadth first: all courses of one fault, then of two ... Ends after so many minutes, too. Returns the exit code.
int explore(heartbeat::Partition partition, unsigned faults, unsigned threads, double minutes);

} // namespace sim
