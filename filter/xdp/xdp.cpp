// SPDX-License-Identifier: Apache-2.0
//
// The XDP datapath: loads the programs, puts them in front of an interface, writes their tables.
#include "filter/xdp/xdp.hpp"

#include "filter/state_datapath.hpp"
#include "filter/tables.hpp"
#include "filter/xdp/attach.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <linux/if_ether.h>
#include <linux/membarrier.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "filter/xdp/nlbd.skel.h"

namespace filter::xdp {

namespace {

constexpr auto kGrace = std::chrono::milliseconds(100);

struct SkeletonDeleter {
    void operator()(nlbd_bpf *skeleton) const { nlbd_bpf::destroy(skeleton); }
};
using Skeleton = std::unique_ptr<nlbd_bpf, SkeletonDeleter>;

// Errors are thrown, in one line.
int keep_quiet(libbpf_print_level, const char *, va_list) { return 0; }

// The memory of a map, by the descriptor that the programs were loaded with. A skeleton's is not
// used: libbpf from 1.5 gives other memory for a map that was taken over.
class MappedState {
  public:
    MappedState(int map, std::size_t size, int protection) : size_(size) {
        void *memory = mmap(nullptr, size_, protection, MAP_SHARED, map, 0);
        if (memory != MAP_FAILED) state_ = static_cast<nlb_state *>(memory);
    }
    MappedState(const MappedState &) = delete;
    ~MappedState() {
        if (state_) munmap(state_, size_);
    }

    nlb_state *get() const { return state_; }

  private:
    std::size_t size_;
    nlb_state *state_ = nullptr;
};

// A predecessor's tables, read-only. Nothing when there are none, or none that this process can
// read.
class Found {
  public:
    explicit Found(const Descriptor &map) {
        if (!map) return;
        size_ = about_map(map.get()).value_size;
        if (size_ < offsetof(nlb_state, active_owners)) return;
        memory_.emplace(map.get(), size_, PROT_READ);
        state_ = memory_->get();
    }

    // The head of nlb_state never moves, so these two hold whatever the layout.
    bool belongs_to(const Interface &interface) const {
        return state_ && state_->interface_index == static_cast<__u32>(interface.index);
    }
    bool made_hook(const Interface &interface) const {
        return belongs_to(interface) && state_->made_clsact;
    }

    bool fits(const Interface &interface, const nlb_config &config) const {
        return belongs_to(interface) && size_ == sizeof(nlb_state) &&
               state_->layout == NLB_LAYOUT && state_->size == sizeof(nlb_state) &&
               same(active_config(*state_), config);
    }

  private:
    std::size_t size_ = 0;
    std::optional<MappedState> memory_;
    const nlb_state *state_ = nullptr;
};

bool is_counters(const Descriptor &map) {
    if (!map) return false;
    const bpf_map_info info = about_map(map.get());
    return info.type == BPF_MAP_TYPE_PERCPU_ARRAY && info.value_size == sizeof(nlb_counters);
}

[[noreturn]] void fail_to_load(int error) {
    const std::string what = "load the BPF programs";
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0)
        fail(what, error,
             "this kernel describes no types (/sys/kernel/btf/vmlinux): it needs "
             "CONFIG_DEBUG_INFO_BTF");
    if (error == EACCES || error == EINVAL || error == E2BIG)
        fail(what, error, "this kernel refuses them: report it with `uname -r`");
    fail(what, error,
         error == EPERM ? "run as root, or with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN" : "");
}

// The programs with their tables: a predecessor's, if they say what this process would write.
struct Programs {
    Skeleton skeleton;
    std::optional<MappedState> memory;
    bool adopted = false;

    Programs(const Settings &settings, const Interface &interface, const Pins &pins) {
        auto config = std::make_unique<nlb_config>();
        write_config(settings, *config);
        libbpf_set_print(keep_quiet);
        skeleton.reset(nlbd_bpf::open());
        if (!skeleton) fail("open the BPF programs", errno);
        if (Found(pins.open("state")).fits(interface, *config)) adopt(pins);
        if (int error = nlbd_bpf::load(skeleton.get()); error != 0) fail_to_load(-error);
        require_these_maps();
        memory.emplace(state_map(), sizeof(nlb_state), PROT_READ | PROT_WRITE);
        if (!memory->get()) fail("map the tables of the BPF programs", errno);
        nlb_state &state = this->state();
        state.own_mac = mac_word(interface.mac);
        if (adopted) return;
        state.layout = NLB_LAYOUT;
        state.size = sizeof state;
        state.interface_index = static_cast<__u32>(interface.index);
        state.config[0] = *config;
    }

    int xdp() const { return bpf_program__fd(skeleton->progs.nlbd_xdp); }
    int tc() const { return bpf_program__fd(skeleton->progs.nlbd_tc); }
    int judge() const { return bpf_program__fd(skeleton->progs.nlbd_judge); }
    nlb_state &state() const { return *memory->get(); }
    int state_map() const { return bpf_map__fd(skeleton->maps.bss); }
    int counters() const { return bpf_map__fd(skeleton->maps.counters); }
    int alarm() const { return bpf_map__fd(skeleton->maps.alarm); }
    int refused() const { return bpf_map__fd(skeleton->maps.refused); }
    int shown() const { return bpf_map__fd(skeleton->maps.shown); }
    int shown_counts() const { return bpf_map__fd(skeleton->maps.shown_counts); }

  private:
    // Both or none: with the tables alone it would start anew in those that are in effect.
    void adopt(const Pins &pins) {
        const Descriptor found = pins.open("state"), sums = pins.open("counters");
        if (!is_counters(sums)) return;
        for (const auto &[map, fd] : {std::pair(skeleton->maps.bss, found.get()),
                                      std::pair(skeleton->maps.counters, sums.get())})
            if (int error = bpf_map__reuse_fd(map, fd); error != 0)
                fail("take over the tables of an agent that was killed", -error);
        adopted = true;
    }

    // What the kernel says that each program looks into is what this process writes and reads.
    void require_these_maps() const {
        if (about_map(state_map()).value_size != sizeof(nlb_state))
            throw std::runtime_error("load the BPF programs: their tables have another size than "
                                     "the agent's: build both anew");
        for (const auto &[program, map] :
             {std::pair(xdp(), state_map()), std::pair(tc(), state_map()),
              std::pair(judge(), state_map()), std::pair(xdp(), counters()),
              std::pair(tc(), counters())})
            if (!std::ranges::count(map_ids(program), about_map(map).id))
                throw std::runtime_error("load the BPF programs: the kernel gave them other tables "
                                         "than the agent writes: report it, with libbpf's version");
    }
};

class XdpDatapath final : public StateDatapath {
  public:
    XdpDatapath(const std::string &interface, XdpMode mode, const std::string &pin_dir,
                const Settings &settings, std::vector<StepDown> *steps_down)
        : StateDatapath(settings.rules.size()), interface_(require_interface(interface)),
          pins_(pin_dir), programs_(settings, interface_, pins_),
          state_(programs_.state()), alarm_(open_ring(programs_.alarm(), ignore)),
          refused_(open_ring(programs_.refused(), &XdpDatapath::keep_frame)),
          link_(interface_, mode, programs_.xdp(), pins_.open("link"), steps_down),
          tc_(interface_, programs_.tc(), Found(pins_.open("state")).made_hook(interface_)) {
        state_.made_clsact = tc_.hook_is_ours();
        for (const auto &[name, fd] : pinned())
            pins_.put(name, fd);
    }

    std::string_view kind() const override { return "xdp"; }

    int missed_descriptor() const override { return ring_buffer__epoll_fd(alarm_.get()); }

    std::uint32_t take_missed() override {
        ring_buffer__consume(alarm_.get());
        return StateDatapath::take_missed();
    }

    int refused_descriptor() const override { return ring_buffer__epoll_fd(refused_.get()); }

    std::vector<std::vector<std::uint8_t>> take_refused(std::size_t most) override {
        taken_.clear();
        most_ = most;
        ring_buffer__consume(refused_.get()); // ends early by keep_frame's word
        return std::move(taken_);
    }

    Mode mode_now() const override {
        return attached_mode(interface_.index, program_id(programs_.xdp()));
    }

    Verdict judge(const std::vector<std::uint8_t> &frame) override {
        if (frame.size() < ETH_HLEN) // no driver hands it up, and the kernel runs no test on it
            return to_verdict({NLB_TOO_SHORT, -1, -1});
        run_judge(frame);
        return to_verdict(state_.judged);
    }

    std::optional<std::string> flaw() override {
        if (!link_.is_attached())
            return "the XDP program is not attached to " + interface_.name;
        if (!tc_.is_attached())
            return "the tc filter nlbd_tc is not attached to " + interface_.name;
        ask();
        run_judge(std::vector<std::uint8_t>(ETH_HLEN));
        if (!has_answered()) return "the BPF programs do not read what the agent writes";
        return std::nullopt;
    }

    // The second lock first: without either the host would answer everything.
    std::vector<std::string> heal() override {
        std::vector<std::string> done;
        if (!tc_.is_attached()) {
            tc_.attach();
            state_.made_clsact = tc_.hook_is_ours();
            done.push_back("tc filter nlbd_tc on " + interface_.name);
        }
        if (!link_.is_attached()) {
            link_.attach_again();
            pins_.put("link", link_.fd());
            done.push_back("XDP program on " + interface_.name);
        }
        for (const auto &[name, fd] : pinned())
            if (!pins_.has(name)) {
                pins_.put(name, fd);
                done.push_back(std::string("pin ") + name);
            }
        return done;
    }

    std::uint32_t program() const override { return program_id(programs_.xdp()); }

    bool adopted() const override { return programs_.adopted; }

    void keep() override {
        tc_.keep();
        link_.keep();
        pins_.keep();
    }

  private:
    nlb_state &state() const override { return state_; }

    // The last two are for nlbctl capture.
    std::array<std::pair<const char *, int>, 5> pinned() const {
        return {{{"state", programs_.state_map()},
                 {"counters", programs_.counters()},
                 {"link", link_.fd()},
                 {kShownPin, programs_.shown()},
                 {kShownCountsPin, programs_.shown_counts()}}};
    }

    void run_judge(const std::vector<std::uint8_t> &frame) {
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
                    .data_size_in = static_cast<__u32>(frame.size()), .repeat = 1);
        if (int error = bpf_prog_test_run_opts(programs_.judge(), &options); error != 0)
            fail("judge a frame", -error);
    }

    // Until every program that runs now has ended, which costs milliseconds (membarrier waits for
    // all processors). What has been out of use for long enough is read by no program.
    void wait_for_readers(Clock::time_point retired) override {
        if (Clock::now() - retired >= kGrace) return;
        if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0) return;
        std::this_thread::sleep_for(kGrace); // kernels with nohz_full have no such membarrier
    }

    std::vector<nlb_counters> counters_by_cpu() const {
        const int cpus = libbpf_num_possible_cpus();
        if (cpus < 0) fail("count processors", -cpus);
        std::vector<nlb_counters> each(static_cast<std::size_t>(cpus));
        const __u32 zero = 0;
        if (int error = bpf_map_lookup_elem(programs_.counters(), &zero, each.data()); error != 0)
            fail("read counters", -error);
        return each;
    }

    // What programs count in between is lost: a handful, once a reload.
    void forget_tables_counted() override {
        std::vector<nlb_counters> each = counters_by_cpu();
        std::ranges::for_each(each, forget_tables);
        const __u32 zero = 0;
        if (int error = bpf_map_update_elem(programs_.counters(), &zero, each.data(), BPF_ANY);
            error != 0)
            fail("write counters", -error);
    }

    nlb_counters sum() const override {
        nlb_counters all{};
        for (const nlb_counters &one : counters_by_cpu())
            for (std::size_t i = 0; i < NLB_COUNTERS; i++)
                all.packets[i] += one.packets[i];
        return all;
    }

    struct CloseRing {
        void operator()(ring_buffer *ring) const { ring_buffer__free(ring); }
    };
    using Ring = std::unique_ptr<ring_buffer, CloseRing>;
    Ring open_ring(int map, ring_buffer_sample_fn handler) {
        Ring ring(ring_buffer__new(map, handler, this, nullptr));
        if (!ring) fail("open a ring of the programs", errno);
        return ring;
    }

    static int ignore(void *, void *, std::size_t) { return 0; } // `missed` says it all

    // An error ends the reading, behind this frame.
    static int keep_frame(void *self, void *data, std::size_t) {
        auto &datapath = *static_cast<XdpDatapath *>(self);
        const auto &began = *static_cast<const nlb_refused *>(data);
        datapath.taken_.emplace_back(began.frame, began.frame + began.length);
        return datapath.taken_.size() < datapath.most_ ? 0 : -1;
    }

    Interface interface_;
    Pins pins_;
    Programs programs_;
    nlb_state &state_;
    Ring alarm_, refused_;
    std::vector<std::vector<std::uint8_t>> taken_;
    std::size_t most_ = 0;
    Link link_; // before the filter: whose interface it is shows here
    TcFilter tc_;
};

} // namespace

std::unique_ptr<Datapath> attach(const std::string &interface, XdpMode mode,
                                     const std::string &pin_dir, const Settings &settings,
                                     std::vector<StepDown> *steps_down) {
    return std::make_unique<XdpDatapath>(interface, mode, pin_dir, settings, steps_down);
}

// The other way round: what is attached goes first, then what it hung on.
void remove(const std::string &interface, const std::string &pin_dir) {
    if (access((pin_dir + "/state").c_str(), F_OK) != 0) return;
    libbpf_set_print(keep_quiet);
    Pins pins(pin_dir);
    pins.take_over();
    const Descriptor link = pins.open("link"), state = pins.open("state");
    const Interface where = require_interface(interface);
    detach_link(link);
    remove_tc_filter(where.index, Found(state).made_hook(where));
}

} // namespace filter::xdp
