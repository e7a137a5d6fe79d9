// SPDX-License-Identifier: Apache-2.0
//
// Runs seeds: 60 simulated seconds of faults, then calm, with every invariant checked on the way.
// The first seed that fails prints how it came about, and is replayed by --seed.
#include "clients.hpp"
#include "faults.hpp"

#include <CLI/CLI.hpp>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>

namespace {

using namespace sim;

constexpr Duration kFaults = 50s, kCalm = 10s;

void run(std::uint64_t seed, bool trace) {
    Options options = draw_options(seed);
    options.trace = trace;
    World world(seed, options);
    try {
        Clients clients(world, 30);
        draw_faults(world, kFaults);
        clients.open_all();
        world.run_until(kFaults);
        end_faults(world);
        world.run_until(kFaults + kCalm);
        world.check_one_owner();
        clients.check_none_hangs();
        if (!world.settled())
            throw Violation("P2: not settled after the calm, " + std::to_string(world.unserved()) +
                            " buckets unserved");
    } catch (const Violation &violation) {
        std::string text =
            "seed " + std::to_string(seed) + " (" + std::to_string(options.nodes) + " nodes, " +
            (options.partition == heartbeat::Partition::serve ? "serve" : "quorum") + ") at " +
            std::to_string(world.now().count() / 1000000) + " ms: " + violation.what() + "\n";
        const auto &history = world.history();
        const std::size_t from = history.size() > 40 ? history.size() - 40 : 0;
        for (std::size_t i = from; i < history.size(); ++i)
            text += history[i] + "\n";
        throw Violation(text);
    }
}

} // namespace

int main(int argc, char **argv) {
    std::uint64_t first = 1, count = 5000;
    std::optional<std::uint64_t> one;
    unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    bool keep_going = false;
    CLI::App app{"Simulates clusters under faults and checks the promises"};
    app.add_option("--first", first, "first seed");
    app.add_option("--count", count, "number of seeds");
    app.add_option("--seed", one, "replay one seed with its trace");
    app.add_option("--threads", threads, "seeds run at the same time");
    app.add_flag("--all", keep_going, "count all failing seeds");
    CLI11_PARSE(app, argc, argv);
    if (one) {
        try {
            run(*one, true);
        } catch (const Violation &violation) {
            std::printf("%s", violation.what());
            return 1;
        }
        std::printf("seed %lu holds\n", static_cast<unsigned long>(*one));
        return 0;
    }
    std::atomic<std::uint64_t> next{first}, failed{0};
    std::mutex printing;
    auto work = [&] {
        for (std::uint64_t seed = next++; seed < first + count && (keep_going || !failed);
             seed = next++) {
            try {
                run(seed, false);
            } catch (const Violation &violation) {
                std::lock_guard lock(printing);
                if (failed++ == 0)
                    std::printf("%s", violation.what());
                else
                    std::printf("%.*s\n", 110, violation.what());
            }
        }
    };
    std::vector<std::thread> pool;
    for (unsigned i = 0; i < threads; ++i)
        pool.emplace_back(work);
    for (auto &thread : pool)
        thread.join();
    std::printf("%lu seeds, %lu failed\n", static_cast<unsigned long>(count),
                static_cast<unsigned long>(failed.load()));
    return failed ? 1 : 0;
}
