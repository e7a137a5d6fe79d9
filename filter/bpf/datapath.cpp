// SPDX-License-Identifier: Apache-2.0
#include "filter/bpf/datapath.hpp"

#include "filter/failure.hpp"
#include "filter/tables.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <linux/if_ether.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

namespace filter::bpf {

namespace {

constexpr auto kGrace = std::chrono::milliseconds(100);

} // namespace

BpfDatapath::BpfDatapath(const std::string &interface, const std::string &pin_dir,
                         const Settings &settings, Object object)
    : StateDatapath(settings.rules.size()), interface_(require_interface(interface)),
      pins_(pin_dir), has_predecessor_(Found(pins_.open("state")).belongs_to(interface_)),
      predecessor_made_hook_(Found(pins_.open("state")).made_hook(interface_)), programs_(std::move(object), settings, interface_, pins_),
      alarm_(open_ring(programs_.alarm(), ignore)),
      refused_(open_ring(programs_.refused(), &BpfDatapath::keep_frame)),
      neighbours_(open_ring(programs_.neighbours(), &BpfDatapath::keep_frame)) {}

int BpfDatapath::missed_descriptor() const { return ring_buffer__epoll_fd(alarm_.get()); }

std::uint32_t BpfDatapath::take_missed() {
    ring_buffer__consume(alarm_.get());
    return StateDatapath::take_missed();
}

int BpfDatapath::refused_descriptor() const { return ring_buffer__epoll_fd(refused_.get()); }

std::vector<std::vector<std::uint8_t>> BpfDatapath::take_refused(std::size_t most) {
    return take(refused_, most);
}

int BpfDatapath::neighbours_descriptor() const { return ring_buffer__epoll_fd(neighbours_.get()); }

std::vector<std::vector<std::uint8_t>> BpfDatapath::take_neighbours(std::size_t most) {
    return take(neighbours_, most);
}

std::vector<std::vector<std::uint8_t>> BpfDatapath::take(const Ring &ring, std::size_t most) {
    taken_.clear();
    most_ = most;
    ring_buffer__consume(ring.get()); // ends early by keep_frame's word
    return std::move(taken_);
}

Verdict BpfDatapath::judge(const std::vector<std::uint8_t> &frame) {
    if (frame.size() < ETH_HLEN) // no driver hands it up, and the kernel runs no test on it
        return to_verdict({NLB_TOO_SHORT, -1, -1});
    run_judge(frame);
    return to_verdict(state().judged);
}

void BpfDatapath::set_paths(const Paths &paths) {
    if (!programs_.forwards()) return;
    const __u32 zero = 0;
    const nlb_paths entry = paths_entry(paths);
    if (int error = bpf_map_update_elem(programs_.paths(), &zero, &entry, BPF_ANY); error != 0)
        fail("write paths", -error);
}

Paths BpfDatapath::paths() const {
    if (!programs_.forwards()) return {};
    const __u32 zero = 0;
    nlb_paths entry{};
    if (int error = bpf_map_lookup_elem(programs_.paths(), &zero, &entry); error != 0)
        fail("read paths", -error);
    return to_paths(entry);
}

void BpfDatapath::set_numbers(const Numbers &numbers) {
    if (!programs_.forwards()) return;
    for (std::size_t i = 0; i < numbers.size(); i++) {
        const __u32 place = i + 1 == numbers.size() ? NLB_UNCOVERED : static_cast<__u32>(i);
        if (int error = bpf_map_update_elem(programs_.numbers(), &place, numbers[i].data(), BPF_ANY); error != 0)
            fail("write owners' numbers", -error);
    }
}

std::vector<std::uint64_t> BpfDatapath::sent() const {
    if (!programs_.forwards()) return {};
    std::vector<nlb_sent> each(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    const __u32 zero = 0;
    if (int error = bpf_map_lookup_elem(programs_.sent(), &zero, each.data()); error != 0)
        fail("read what was sent on", -error);
    std::vector<std::uint64_t> all(kMaxNodes + 1);
    for (const nlb_sent &one : each)
        for (std::size_t i = 0; i < all.size(); i++)
            all[i] += one.to[i];
    return all;
}

std::optional<std::string> BpfDatapath::flaw(const InPlace &seen) {
    saw(seen);
    if (auto missing = detached(seen)) return missing;
    ask();
    run_judge(std::vector<std::uint8_t>(ETH_HLEN));
    if (!has_answered()) return "the BPF programs do not read what the agent writes";
    return std::nullopt;
}

std::vector<std::string> BpfDatapath::heal(const InPlace &seen) {
    std::vector<std::string> done;
    attach_again(seen, done);
    for (const auto &[name, fd] : pinned())
        if (!pins_.has(name)) {
            pins_.put(name, fd);
            done.push_back("pin " + name);
        }
    return done;
}

void BpfDatapath::keep() { pins_.keep(); }

void BpfDatapath::require_no_other(TcRole role) const {
    if (has_predecessor_ || !has_tc_filter(interface_.index, role)) return;
    char handle[16];
    std::snprintf(handle, sizeof handle, "0x%x", static_cast<unsigned>(role));
    throw Occupied("attach tc filter to " + interface_.name +
                   ": another nlbd runs on this interface, or was killed: stop it, or start it again with "
                   "its own run dir to take it over, or `tc filter del dev " +
                   interface_.name + " ingress pref 1 handle " + handle + " bpf`");
}

void BpfDatapath::attached(TcFilter &filter) { state().made_clsact = filter.hook_is_ours(); }

void BpfDatapath::pin() {
    for (const auto &[name, fd] : pinned())
        pins_.put(name, fd);
}

// The last two are for nlbctl capture.
std::vector<std::pair<std::string, int>> BpfDatapath::pinned() const {
    std::vector<std::pair<std::string, int>> all{{"state", programs_.state_map()},
                                                 {"counters", programs_.counters()},
                                                 {kShownPin, programs_.shown()},
                                                 {kShownCountsPin, programs_.shown_counts()}};
    if (programs_.forwards())
        all.insert(all.end(), {{kPathsPin, programs_.paths()},
                               {kNumbersPin, programs_.numbers()},
                               {kSentPin, programs_.sent()}});
    return all;
}

void BpfDatapath::run_judge(const std::vector<std::uint8_t> &frame) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
                .data_size_in = static_cast<__u32>(frame.size()), .repeat = 1);
    if (int error = bpf_prog_test_run_opts(programs_.judge(), &options); error != 0)
        fail("judge a frame", -error);
}

// Until every program that runs now has ended, which costs milliseconds (membarrier waits for
// all processors). What has been out of use for long enough is read by no program.
void BpfDatapath::wait_for_readers(Clock::time_point retired) {
    if (Clock::now() - retired >= kGrace) return;
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
    std::this_thread::sleep_for(kGrace); // kernels with nohz_full have no such membarrier
}

std::vector<nlb_counters> BpfDatapath::counters_by_cpu() const {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus < 0) fail("count processors", -cpus);
    std::vector<nlb_counters> each(static_cast<std::size_t>(cpus));
    const __u32 zero = 0;
    if (int error = bpf_map_lookup_elem(programs_.counters(), &zero, each.data()); error != 0)
        fail("read counters", -error);
    return each;
}

// What programs count in between is lost: a handful, once a reload.
void BpfDatapath::forget_tables_counted() {
    std::vector<nlb_counters> each = counters_by_cpu();
    std::ranges::for_each(each, forget_tables);
    const __u32 zero = 0;
    if (int error = bpf_map_update_elem(programs_.counters(), &zero, each.data(), BPF_ANY);
        error != 0)
        fail("write counters", -error);
}

nlb_counters BpfDatapath::sum() const {
    nlb_counters all{};
    for (const nlb_counters &one : counters_by_cpu())
        for (std::size_t i = 0; i < NLB_COUNTERS; i++)
            all.packets[i] += one.packets[i];
    return all;
}

void BpfDatapath::CloseRing::operator()(ring_buffer *ring) const { ring_buffer__free(ring); }

BpfDatapath::Ring BpfDatapath::open_ring(int map, int (*handler)(void *, void *, std::size_t)) {
    Ring ring(ring_buffer__new(map, handler, this, nullptr));
    if (!ring) fail("open a ring of the programs", errno);
    return ring;
}

// An error ends the reading, behind this frame.
int BpfDatapath::keep_frame(void *self, void *data, std::size_t) {
    auto &datapath = *static_cast<BpfDatapath *>(self);
    const auto &began = *static_cast<const nlb_refused *>(data);
    datapath.taken_.emplace_back(began.frame, began.frame + began.length);
    return datapath.taken_.size() < datapath.most_ ? 0 : -1;
}

// The other way round: what is attached goes first, then what it hung on.
void remove(const std::string &interface, const std::string &pin_dir) {
    if (access((pin_dir + "/state").c_str(), F_OK) != 0) return;
    keep_libbpf_quiet();
    Pins pins(pin_dir);
    pins.take_over();
    const Descriptor link = pins.open(kLinkPin), state = pins.open("state");
    const Interface where = require_interface(interface);
    detach_link(link);
    const bool hook_is_ours = Found(state).made_hook(where);
    remove_tc_filter(where.index, TcRole::judge, hook_is_ours);
    remove_tc_filter(where.index, TcRole::second_lock, hook_is_ours);
}

} // namespace filter::bpf
