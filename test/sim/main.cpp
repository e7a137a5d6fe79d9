// SPDX-License-Identifier: Apache-2.0
//
// Runs seeds: a minute of simulated faults, then an examination on a good network, with every
// invariant checked on the way. The first seed that fails prints how it came about, and is replayed
// by --seed, beside the other options of its run. --fresh: each run begins at another seed, so that
// every one looks where none has looked before; what was found stays in a file for --seeds-from.
#include "clients.hpp"
#include "exam.hpp"
#include "exhaustive.hpp"
#include "faults.hpp"
#include "scenarios.hpp"

#include <CLI/CLI.hpp>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <mutex>
#include <random>
#include <sstream>
#include <thread>

namespace {

using namespace sim;

constexpr Duration kFaults = 50s;
constexpr unsigned kClients = 30;
constexpr std::size_t kLinesShown = 40;

struct Plan {
    std::uint64_t first = 1, count = 5000;
    unsigned interval_ms = 50, dead_after_ms = 500;
    unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    bool keep_going = false, replays = false, hard = false, forward = false;
    std::string ledger, commit = "uncommitted";
};

std::atomic<std::int64_t> simulated_ms{0};

std::string report(const World &world, const std::string &what) {
    const Options &options = world.options();
    std::string text =
        " (" + std::to_string(options.nodes) + " nodes, " +
        (options.partition == heartbeat::Partition::quorum ? "quorum"
         : options.witness                                 ? "serve with a witness"
                                                           : "serve") +
        ") at " + std::to_string(world.now() / 1ms) + " ms: " + what + "\n";
    const auto &history = world.history();
    const std::size_t from = history.size() > kLinesShown ? history.size() - kLinesShown : 0;
    for (std::size_t i = from; i < history.size(); ++i)
        text += history[i] + "\n";
    return text;
}

void run_seed(const Plan &plan, std::uint64_t seed, bool trace) {
    Options options = draw_options(seed, Duration(plan.interval_ms * 1ms),
                                   Duration(plan.dead_after_ms * 1ms));
    options.trace = trace;
    options.replays = plan.replays;
    options.forward = plan.forward;
    if (plan.forward) options.planes = 1;
    World world(seed, options);
    try {
        Clients clients(world, kClients);
        draw_faults(world, options.scaled(kFaults), plan.hard);
        clients.open_all();
        world.run_until(options.scaled(kFaults));
        end_faults(world);
        examine(world);
        world.run_until(world.now() + kReleased);
        clients.check_none_hangs();
        const Groups guarded = world.guarded_for_nothing();
        world.run_until(world.now() + options.dead_after);
        if ((guarded & world.guarded_for_nothing()).any()) throw Violation("P2: what nobody holds is guarded");
        simulated_ms += world.now() / 1ms;
    } catch (const Violation &violation) {
        throw Violation("seed " + std::to_string(seed) + report(world, violation.what()));
    }
}

void run_scenario(const Scenario &scenario, std::uint64_t seed, bool trace) {
    Options options = scenario.options;
    options.trace = trace;
    World world(seed, options);
    try {
        Clients clients(world, kClients);
        clients.open_all();
        scenario.play(world);
    } catch (const Violation &violation) {
        throw Violation("scenario " + std::string(scenario.name) + ", seed " +
                        std::to_string(seed) + report(world, violation.what()));
    }
}

// Every job on all threads; prints the first failure in full. Returns the exit code.
int run_all(const Plan &plan, std::uint64_t jobs, const std::function<void(std::uint64_t)> &job) {
    std::atomic<std::uint64_t> next{0}, failed{0};
    std::mutex printing;
    auto work = [&] {
        for (std::uint64_t i = next++; i < jobs && (plan.keep_going || !failed); i = next++) {
            try {
                job(i);
            } catch (const Violation &violation) {
                std::lock_guard lock(printing);
                const std::string text = violation.what();
                std::printf("%s", failed++ == 0 ? text.c_str()
                                                : text.substr(0, text.find('\n') + 1).c_str());
            }
        }
    };
    std::vector<std::thread> pool;
    for (unsigned i = 0; i < plan.threads; ++i)
        pool.emplace_back(work);
    for (auto &thread : pool)
        thread.join();
    std::printf("%llu runs, %llu failed\n", static_cast<unsigned long long>(jobs),
                static_cast<unsigned long long>(failed.load()));
    return failed ? 1 : 0;
}

// A line for every long run. What failed counts for nothing.
void enter(const Plan &plan, std::size_t runs) {
    if (plan.ledger.empty()) return;
    char line[200];
    std::snprintf(line, sizeof line, "%-10s %12llu %7llu %4u/%-4u %-7s %10.1f\n", plan.commit.c_str(),
                  static_cast<unsigned long long>(plan.first), static_cast<unsigned long long>(runs),
                  plan.interval_ms, plan.dead_after_ms, plan.hard ? "hard" : plan.replays ? "replays" : plan.forward ? "forward" : "-",
                  static_cast<double>(simulated_ms.load()) / 3.6e6);
    std::ofstream(plan.ledger, std::ios::app) << line;
}

// One a line; what follows a # is for readers.
std::vector<std::uint64_t> read_seeds(const std::string &file) {
    std::ifstream lines(file);
    if (!lines) throw std::runtime_error(file + ": cannot be read");
    std::vector<std::uint64_t> seeds;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line.substr(0, line.find('#')));
        for (std::uint64_t seed; words >> seed;)
            seeds.push_back(seed);
    }
    return seeds;
}

// Returns the exit code.
int replay(const std::function<void()> &run) {
    try {
        run();
    } catch (const Violation &violation) {
        std::printf("%s", violation.what());
        return 1;
    }
    std::printf("it holds\n");
    return 0;
}

struct Asked {
    Plan plan;
    std::optional<std::uint64_t> seed;
    std::string scenario, seeds_file;
    bool all_scenarios = false, fresh = false, quorum = false;
    unsigned exhaustive = 0;
    double minutes = 60;
};

void add_options(CLI::App &app, Asked &asked) {
    Plan &plan = asked.plan;
    app.add_option("--first", plan.first, "first seed");
    app.add_option("--count", plan.count, "number of seeds; for scenarios, of each");
    app.add_flag("--fresh", asked.fresh, "begin at a seed drawn by chance, and say at which");
    app.add_option("--seed", asked.seed, "replay one seed with its trace");
    app.add_option("--seeds-from", asked.seeds_file, "run the seeds listed in this file; with --fresh, first")
        ->check(CLI::ExistingFile);
    app.add_flag("--scenarios", asked.all_scenarios, "run the named scenarios instead");
    app.add_option("--scenario", asked.scenario, "run this one only, by its name");
    app.add_option("--interval-ms", plan.interval_ms, "of the beats");
    app.add_option("--dead-after-ms", plan.dead_after_ms, "everything else is to scale");
    app.add_option("--threads", plan.threads, "seeds run at the same time");
    app.add_flag("--replays", plan.replays, "old beats are repeated all the time");
    app.add_flag("--hard", plan.hard, "faults at changes, too, clocks that stand still, reboots of many at once");
    app.add_flag("--forward", plan.forward, "clients' packets come to one node, which sends them on");
    app.add_flag("--all", plan.keep_going, "count all failing seeds");
    app.add_option("--exhaustive", asked.exhaustive, "every choice of up to so many faults, three nodes, five seconds");
    app.add_option("--minutes", asked.minutes, "of the clock on the wall, for --exhaustive");
    app.add_flag("--quorum", asked.quorum, "for --exhaustive: partition = \"quorum\"");
    app.add_option("--ledger", plan.ledger, "add a line to this file when no seed fails");
    app.add_option("--commit", plan.commit, "of what runs, for the ledger");
}

// These return the exit code.
int run_scenarios(const Asked &asked) {
    const Plan &plan = asked.plan;
    const std::vector<Scenario> chosen = scenarios(asked.scenario);
    if (chosen.empty()) {
        std::fprintf(stderr, "no scenario is called %s\n", asked.scenario.c_str());
        return 2;
    }
    if (asked.seed) return replay([&] { run_scenario(chosen.front(), *asked.seed, true); });
    return run_all(plan, plan.count * chosen.size(), [&](std::uint64_t i) {
        run_scenario(chosen[i % chosen.size()], plan.first + i / chosen.size(), false);
    });
}

int run_seeds(const Asked &asked) {
    const Plan &plan = asked.plan;
    if (asked.seed) return replay([&] { run_seed(plan, *asked.seed, true); });
    std::vector<std::uint64_t> seeds;
    if (!asked.seeds_file.empty()) seeds = read_seeds(asked.seeds_file);
    if (asked.seeds_file.empty() || asked.fresh)
        for (std::uint64_t i = 0; i < plan.count; ++i)
            seeds.push_back(plan.first + i);
    const int code = run_all(plan, seeds.size(), [&](std::uint64_t i) { run_seed(plan, seeds[i], false); });
    if (code == 0) enter(plan, seeds.size());
    return code;
}

} // namespace

int main(int argc, char **argv) {
    Asked asked;
    Plan &plan = asked.plan;
    CLI::App app{"Simulates clusters under faults and checks the promises"};
    add_options(app, asked);
    CLI11_PARSE(app, argc, argv);
    if (asked.exhaustive > 0)
        return explore(asked.quorum ? heartbeat::Partition::quorum : heartbeat::Partition::serve, asked.exhaustive,
                       plan.threads, asked.minutes);
    if (asked.fresh) {
        plan.first = std::random_device{}();
        std::printf("seeds %llu to %llu\n", static_cast<unsigned long long>(plan.first),
                    static_cast<unsigned long long>(plan.first + plan.count - 1));
    }
    return asked.all_scenarios || !asked.scenario.empty() ? run_scenarios(asked) : run_seeds(asked);
}
