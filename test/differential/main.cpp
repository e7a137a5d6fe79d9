// SPDX-License-Identifier: Apache-2.0
//
// Differential test: a million frames through the programs that the kernel has loaded, through the
// same headers compiled for user space, and through the verdict as it is written a second time. The
// same tables, the same sockets; the verdicts must be one, and so must be what becomes of the frame.
//
//     nlb_differential [--packets N] [--seed S]     N frames from seed S on
//     nlb_differential --seed S --batch B           one batch again: what a difference is reported with
//
// Frames come in batches, each in one scenario, from a seed of its own, and with no fragment
// remembered from the one before: so each can be run again by itself. Exit code 77: skipped, because
// this needs root.
#include "comparison.hpp"

#include <charconv>
#include <cstring>
#include <iostream>
#include <optional>
#include <unistd.h>

namespace {

struct Options {
    std::uint64_t packets = 1'000'000, seed = 1;
    std::optional<std::uint64_t> batch;
};

std::optional<Options> parse(int argc, char **argv) {
    Options options;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i], text = i + 1 < argc ? argv[i + 1] : "";
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
        if (name == "--packets")
            options.packets = value;
        else if (name == "--seed")
            options.seed = value;
        else if (name == "--batch")
            options.batch = value;
        else
            return std::nullopt;
    }
    return options;
}

int run(const Options &options) {
    differential::Comparison comparison(options.seed);
    const std::uint64_t first = options.batch.value_or(0);
    const std::uint64_t batches =
        options.batch ? 1 : (options.packets + differential::kBatch - 1) / differential::kBatch;
    for (std::uint64_t batch = first; batch < first + batches; ++batch)
        if (!comparison.run(batch, std::cout)) return 1;
    const bool all = comparison.report(std::cout);
    if (all || options.batch || options.packets < Options{}.packets / 2) return 0;
    std::cout << "some reason was never given\n";
    return 1;
}

struct PrivateHost {
    PrivateHost() { Host::enter(); }
    ~PrivateHost() { Host::leave(); }
};

} // namespace

int main(int argc, char **argv) {
    const auto options = parse(argc, argv);
    if (!options) {
        std::cerr << "usage: nlb_differential [--packets N] [--seed S] [--batch B]\n";
        return 2;
    }
    if (geteuid() != 0) {
        std::cerr << "skipped: loading BPF programs needs root\n";
        return 77;
    }
    try {
        const PrivateHost host;
        return run(*options);
    } catch (const std::exception &error) {
        std::cerr << "nlb_differential: " << error.what() << "\n";
        return 1;
    }
}
