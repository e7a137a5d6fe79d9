// SPDX-License-Identifier: Apache-2.0
//
// The XDP datapath: loads the programs, puts them in front of an interface, writes their tables.
//
// The tables are memory that the programs read while we write. What fits in a word is stored at
// once. The owner tables do not fit, so there are four copies: we write one that is not in use and
// then switch. A program that began before the switch may still read the old copy; it is written
// again only after the kernel has left every program that could (membarrier, which waits for all
// processors). That wait costs milliseconds and would stall heartbeats, and a hand-over switches
// twice within milliseconds: hence four copies, and no wait at all when the copy has rested long
// enough.
#include "filter/tables.hpp"
#include "filter/xdp_attach.hpp"

#include <atomic>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <chrono>
#include <linux/membarrier.h>
#include <memory>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

#include "filter/nlbd.skel.h"

namespace filter {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kGrace = std::chrono::milliseconds(100);

struct SkeletonDeleter {
    void operator()(nlbd_bpf *skeleton) const { nlbd_bpf::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<nlbd_bpf, SkeletonDeleter>;

int keep_quiet(libbpf_print_level, const char *, va_list) {
    return 0;
} // errors are thrown, in one line

void write_head(nlb_state &state, const Interface &interface) {
    state.layout = NLB_LAYOUT;
    state.size = sizeof state;
    state.interface_index = static_cast<__u32>(interface.index);
    state.own_mac = mac_word(interface.mac);
}

// Loaded, with everything in place that follows from the configuration.
Skeleton load_programs(const Settings &settings, const Interface &interface) {
    libbpf_set_print(keep_quiet);
    Skeleton skeleton(nlbd_bpf::open());
    if (!skeleton) fail("open the BPF programs", errno);
    int error = nlbd_bpf::load(skeleton.get());
    if (error == 0) {
        write_head(skeleton->bss->state, interface);
        write_config(settings, skeleton->bss->state.config[0]);
        return skeleton;
    }
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
        fail("load the BPF programs", -error,
             "this kernel describes no types (/sys/kernel/btf/vmlinux): it needs "
             "CONFIG_DEBUG_INFO_BTF");
    fail("load the BPF programs", -error,
         error == -EPERM ? "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN" : "");
}

// Whether a predecessor with these pins made the tc hook on this interface. The head of nlb_state
// never moves.
bool made_hook(const Descriptor &state, int interface_index) {
    if (!state) return false;
    auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void *head = mmap(nullptr, page, PROT_READ, MAP_SHARED, state.get(), 0);
    if (head == MAP_FAILED) return false;
    auto *found = static_cast<const nlb_state *>(head);
    bool ours = found->interface_index == static_cast<__u32>(interface_index) && found->made_clsact;
    munmap(head, page);
    return ours;
}

template <typename Word>
void store(Word &shared, std::type_identity_t<Word> value) {
    std::atomic_ref(shared).store(value, std::memory_order_release);
}

class XdpDatapath final : public Datapath {
  public:
    XdpDatapath(const std::string &interface, XdpMode mode, const std::string &pin_dir,
                const Settings &settings)
        : rules_(settings.rules.size()), interface_(find_interface(interface)), pins_(pin_dir),
          skeleton_(load_programs(settings, interface_)), state_(skeleton_->bss->state),
          link_(interface_, mode, bpf_program__fd(skeleton_->progs.nlbd_xdp), pins_.open("link")),
          tc_(interface_, bpf_program__fd(skeleton_->progs.nlbd_tc),
              made_hook(pins_.open("state"), interface_.index)) {
        state_.made_clsact = tc_.hook_is_ours();
        pins_.put("state", bpf_map__fd(skeleton_->maps.bss));
        pins_.put("counters", bpf_map__fd(skeleton_->maps.counters));
        pins_.put("link", link_.fd());
    }

    void install(const Tables &tables) override {
        unsigned next = (state_.active_owners + 1) % NLB_OWNER_BUFFERS;
        wait_until_unused(next);
        write_owners(tables, rules_, state_.owners[next]);
        retired_[state_.active_owners] = Clock::now();
        store(state_.active_owners, next);
    }

    void set_lease(std::uint64_t deadline_ns) override { store(state_.lease_ns, deadline_ns); }

    void set_guarded(const GroupSet &groups) override {
        for (std::size_t i = 0; i < groups.size(); i++)
            store(state_.guarded[i], groups[i]);
    }

    void set_lingering(const GroupSet &groups) override {
        for (std::size_t i = 0; i < groups.size(); i++)
            store(state_.lingering[i], groups[i]);
    }

    std::vector<Counter> counters() const override {
        nlb_counters sum = add_up();
        std::vector<Counter> result;
        for (std::uint32_t reason = 0; reason < NLB_REASONS; reason++)
            result.push_back({reason_name(reason), drops(reason), sum.reasons[reason]});
        return result;
    }

    std::vector<RuleCounter> rule_counters() const override {
        nlb_counters sum = add_up();
        std::vector<RuleCounter> result;
        for (std::size_t i = 0; i < rules_; i++)
            result.push_back({sum.taken[i], sum.dropped[i]});
        result.push_back({sum.taken[NLB_UNCOVERED], sum.dropped[NLB_UNCOVERED]});
        return result;
    }

    Mode mode() const override {
        return attached_mode(interface_.index,
                             program_id(bpf_program__fd(skeleton_->progs.nlbd_xdp)));
    }

    Verdict judge(const std::vector<std::uint8_t> &frame) override {
        if (frame.size() < 14) // no driver hands such a thing up, and the kernel runs no test on it
            return to_verdict({NLB_TOO_SHORT, -1, -1});
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
                    .data_size_in = static_cast<__u32>(frame.size()), .repeat = 1);
        int program = bpf_program__fd(skeleton_->progs.nlbd_judge);
        if (int error = bpf_prog_test_run_opts(program, &options); error != 0)
            fail("judge a frame", -error);
        return to_verdict(state_.judged);
    }

    void keep() override {
        tc_.keep();
        link_.keep();
        pins_.keep();
    }

  private:
    void wait_until_unused(unsigned buffer) const {
        auto rested = Clock::now() - retired_[buffer];
        if (rested >= kGrace || syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
        std::this_thread::sleep_for(kGrace -
                                    rested); // kernels with nohz_full have no such membarrier
    }

    nlb_counters add_up() const {
        int cpus = libbpf_num_possible_cpus();
        if (cpus < 0) fail("count processors", -cpus);
        std::vector<nlb_counters> each(static_cast<std::size_t>(cpus));
        __u32 zero = 0;
        if (int error =
                bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &zero, each.data());
            error != 0)
            fail("read counters", -error);
        nlb_counters sum{};
        for (const nlb_counters &one : each)
            for (std::size_t i = 0; i < sizeof sum / sizeof(__u64); i++)
                reinterpret_cast<__u64 *>(&sum)[i] += reinterpret_cast<const __u64 *>(&one)[i];
        return sum;
    }

    std::size_t rules_;
    Interface interface_;
    Pins pins_;
    Skeleton skeleton_;
    nlb_state &state_;
    XdpLink link_; // before the filter: whose interface it is shows here
    TcFilter tc_;
    std::array<Clock::time_point, NLB_OWNER_BUFFERS> retired_{};
};

} // namespace

std::string_view to_string(Mode mode) {
    switch (mode) {
    case Mode::none:
        return "none";
    case Mode::native:
        return "native";
    case Mode::generic:
        return "generic";
    case Mode::tap:
        return "tap";
    }
    return "none";
}

std::unique_ptr<Datapath> attach_xdp(const std::string &interface, XdpMode mode,
                                     const std::string &pin_dir, const Settings &settings) {
    return std::make_unique<XdpDatapath>(interface, mode, pin_dir, settings);
}

} // namespace filter
