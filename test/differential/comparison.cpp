// SPDX-License-Identifier: Apache-2.0
//
// Marks of fragments count by the clock's seconds. A batch takes milliseconds, but a machine can
// stall: when a stalled batch may have let the kernel's marks expire, its differences mean nothing,
// and it runs again.
#include "comparison.hpp"

#include "filter/pcap/tap.hpp"
#include "filter/tables.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <ostream>
#include <sstream>
#include <unistd.h>

namespace differential {
namespace {

using filter::Verdict;

// BPF_PROG_TEST_RUN gives a program a page, which may have 4, 16 or 64 KiB, less headroom and the
// kernel's own part, and puts the rest of a frame where XDP cannot read.
const auto kReadable = static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) - 256 - 320;
constexpr std::uint64_t kMarksHold = 3'000'000'000;

std::uint64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

judges::Flow flow_of(const filter::TcpSegment &segment) {
    judges::Flow flow;
    const auto family =
        segment.family == 4 ? filter::IpAddress::Family::v4 : filter::IpAddress::Family::v6;
    flow.source.family = flow.destination.family = family;
    std::memcpy(flow.source.bytes.data(), segment.source, 16);
    std::memcpy(flow.destination.bytes.data(), segment.destination, 16);
    flow.source_port = __builtin_bswap16(segment.source_port);
    flow.destination_port = __builtin_bswap16(segment.destination_port);
    flow.flags = segment.flags;
    flow.acknowledged = __builtin_bswap32(segment.acknowledged);
    return flow;
}

struct Host final : filter::VerdictHost {
    Host(const Connections &all, const judges::Scenario &entered)
        : connections(all), scenario(entered) {}
    bool has_socket(const filter::TcpSegment &segment) override {
        return connections.has_socket(flow_of(segment));
    }
    bool has_listener(const filter::TcpSegment &segment, std::uint32_t table) override {
        const auto expected = scenario.expected.find(table);
        const bool known = expected != scenario.expected.end() && expected->second;
        return connections.has_listener(flow_of(segment)) ||
               (known && connections.has_listener(
                             {{}, expected->second->address, 0, expected->second->port}));
    }
    std::uint64_t boot_ns() override { return now_ns(); }

    const Connections &connections;
    const judges::Scenario &scenario;
};

bool same(const Verdict &one, const Verdict &other) {
    return one.reason == other.reason && one.drop == other.drop && one.rule == other.rule &&
           one.bucket == other.bucket;
}

// As judges::agree.
bool agree(const Verdict &plain, const Verdict &other) {
    const bool forgotten = plain.reason == "foreign_fragment" && other.reason == "later_fragment";
    return forgotten || same(plain, other);
}

std::uint32_t reason_number(const Verdict &verdict) {
    std::uint32_t reason = 0;
    while (filter::reason_name(reason) != verdict.reason)
        ++reason;
    return reason;
}

bool is_taken(const Verdict &verdict) { return reason_number(verdict) <= NLB_LAST_TAKEN; }

// As the pcap datapath hands it to the host.
Bytes delivered(const Bytes &frame, std::uint64_t mac_word) {
    const auto [destination, rest] = filter::pcap::readdress(frame, mac_word);
    Bytes whole(destination.begin(), destination.end());
    whole.insert(whole.end(), rest.begin(), rest.end());
    return whole;
}

std::string text(const Verdict &verdict) {
    std::ostringstream out;
    out << (verdict.drop ? "drop" : "pass") << " " << verdict.reason << ", rule " << verdict.rule
        << ", bucket " << verdict.bucket;
    return out.str();
}

std::string hex(const Bytes &bytes) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i++) {
        char two[4];
        std::snprintf(two, sizeof two, i > 0 && i % 16 == 0 ? "\n%02x" : "%02x", bytes[i]);
        text += two;
    }
    return text;
}

bool kernel_runs_tc_on(const Bytes &frame) {
    const int type = frame[12] << 8 | frame[13];
    const std::size_t least = type == 0x0800 ? 14 + 20 : type == 0x86dd ? 14 + 40 : 14;
    return frame.size() >= least && frame.size() <= kMostOverTc;
}

// A tc program keeps questions for a virtual IP from the kernel, though their verdict is to pass.
bool asks_for_virtual_ip(const Verdict &verdict) {
    return over_tc() && (verdict.reason == "neighbour_discovery" || verdict.reason == "not_ip" ||
                         verdict.reason == "not_virtual_ip");
}

std::unique_ptr<filter::Datapath> attach_for_all() {
    auto datapath = attach();
    datapath->install(all_mine());
    return datapath;
}

} // namespace

Comparison::Comparison(std::uint64_t seed)
    : seed_(seed), datapath_(attach_for_all()), program_(datapath_->program()),
      own_mac_(filter::mac_word(*filter::parse_mac(mac_of("near")))) {}

void Comparison::enter(const judges::Scenario &scenario) {
    datapath_->configure(scenario.settings, scenario.tables);
    for (std::size_t rule = 0; rule < scenario.settings.rules.size(); ++rule) {
        const auto expected = scenario.expected.find(rule);
        const bool any = expected != scenario.expected.end();
        datapath_->expect_service(rule, any, any ? expected->second : std::nullopt);
    }
    datapath_->set_guarded(scenario.guarded);
    datapath_->set_lingering(scenario.lingering);
    datapath_->set_lease(scenario.lease ? kForever : 0);
    state_ = judges::state_of(scenario);
}

// Those who remember fragments.
struct Comparison::Judges {
    Host host;
    judges::Plain plain, plain_in_kernel;
};

Comparison::Judged Comparison::judge(Judges &judges, const Bytes &frame) {
    return {filter::verdict_of(filter::decide(*state_, frame, judges.host)),
            datapath_->judge(frame), judges.plain.judge(frame),
            judges.plain_in_kernel.judge(frame, kReadable), program_.run(frame)};
}

std::string Comparison::difference(const Judged &judged, const Bytes &frame) const {
    const Verdict user = filter::to_verdict(judged.user), &kernel = judged.kernel;
    const Verdict plain = filter::to_verdict(judged.plain),
                  plain_in_kernel = filter::to_verdict(judged.plain_in_kernel);
    const Bytes expected = is_taken(kernel) && !over_tc() ? delivered(frame, own_mac_) : frame;
    std::string what;
    if (!same(user, kernel) && same(plain, plain_in_kernel))
        what += "  user space and kernel differ\n";
    if (!agree(plain, user) || !agree(plain_in_kernel, kernel))
        what += "  the plain verdict differs\n";
    if (drops(*datapath_, judged.ran) != kernel.drop && !asks_for_virtual_ip(kernel))
        what += "  the program returned " + std::to_string(judged.ran.result) + "\n";
    if (judged.ran.frame != expected)
        what += "  the frame left the program as\n" + hex(judged.ran.frame) + "\n";
    if (what.empty()) return what;
    return what + "  kernel:     " + text(kernel) + "\n  user space: " + text(user) +
           "\n  plain:      " + text(plain) + "\n" + hex(frame) + "\n";
}

std::optional<std::string> Comparison::difference(const Tally &before) const {
    const Tally after = counted();
    for (std::size_t reason = 0; reason < NLB_REASONS; ++reason)
        if (after[reason] - before[reason] != tally_[reason])
            return "  counter " + std::string(filter::reason_name(std::uint32_t(reason))) +
                   " went up by " + std::to_string(after[reason] - before[reason]) +
                   ", should by " + std::to_string(tally_[reason]) + "\n";
    return std::nullopt;
}

std::optional<std::string> Comparison::compare(const judges::Scenario &scenario,
                                               std::uint64_t seed) {
    program_.forget_fragments();
    std::fill(std::begin(state_->marks), std::end(state_->marks), 0);
    const auto has_socket = [this](const judges::Flow &flow) {
        return connections_.has_socket(flow);
    };
    const auto has_listener = [this](const judges::Flow &flow) {
        return connections_.has_listener(flow);
    };
    Judges judges{Host(connections_, scenario),
                  {scenario, has_socket, has_listener},
                  {scenario, has_socket, has_listener}};
    Frames frames(scenario, connections_.flows(), seed);
    tally_ = {};
    const Tally before = counted();
    for (unsigned number = 0; number < kBatch; ++number) {
        const Bytes frame = frames.next();
        if (over_tc() && !kernel_runs_tc_on(frame)) continue;
        const Judged judged = judge(judges, frame);
        if (const std::string what = difference(judged, frame); !what.empty())
            return "  frame " + std::to_string(number) + "\n" + what;
        ++tally_[reason_number(judged.kernel)];
    }
    return difference(before);
}

Comparison::Tally Comparison::counted() const {
    Tally tally{};
    const auto counters = datapath_->counters();
    for (std::size_t i = 0; i < tally.size(); ++i)
        tally[i] = counters[i].packets;
    return tally;
}

bool Comparison::run(std::uint64_t batch, std::ostream &out) {
    const auto &scenarios = judges::scenarios();
    const judges::Scenario &scenario = scenarios[batch % scenarios.size()];
    enter(scenario);
    const std::uint64_t seed = seed_ << 32 ^ batch;
    for (;;) {
        const std::uint64_t began = now_ns();
        const auto what = compare(scenario, seed);
        if (!what) break;
        if (now_ns() - began > kMarksHold) continue;
        out << "scenario " << scenario.name << "\n"
            << *what << "again: nlb_differential --seed " << seed_ << " --batch " << batch << "\n";
        return false;
    }
    for (std::size_t i = 0; i < total_.size(); ++i)
        total_[i] += tally_[i];
    return true;
}

bool Comparison::report(std::ostream &out) const {
    std::uint64_t sum = 0;
    bool all = true;
    for (std::size_t i = 0; i < NLB_UNFILTERED; ++i) { // what follows is no verdict's
        sum += total_[i];
        all = all && (total_[i] > 0 || (over_tc() && i == NLB_HEADER_TOO_DEEP)); // such frames are too large
        out << filter::reason_name(std::uint32_t(i)) << " " << total_[i] << "\n";
    }
    out << sum << " frames, no difference\n";
    return all;
}

} // namespace differential
