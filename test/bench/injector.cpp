// SPDX-License-Identifier: Apache-2.0
//
// A frame goes through the sender's program, the veth pair and the receiver without a wait: the
// kernel handles what a batch has put into the pair before it fills the next. So time is measured
// around both, and a rate compares receivers only next to that of the plainest one.
#include "injector.hpp"

#include "host.hpp"

#include <algorithm>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cstring>
#include <ctime>
#include <fstream>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.skel.h"

namespace bench {

namespace {

constexpr unsigned kBatch = 64, kFrames = 1 << 15;

void check(bool good, const char *what) {
    if (!good) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

std::uint64_t received() {
    std::ifstream file("/sys/class/net/near/statistics/rx_packets");
    std::uint64_t count = 0;
    file >> count;
    return count;
}

void send(int program, const packets::Bytes &frame, unsigned frames) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
                .data_size_in = static_cast<__u32>(frame.size()), .repeat = int(frames),
                .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = kBatch);
    check(bpf_prog_test_run_opts(program, &options) == 0, "inject frames");
}

// Where the sender is, and what receives its frames.
std::size_t last_processor() { return static_cast<std::size_t>(sysconf(_SC_NPROCESSORS_ONLN) - 1); }

void run_on(std::size_t first, std::size_t end) {
    cpu_set_t some;
    CPU_ZERO(&some);
    for (std::size_t i = first; i < end; i++)
        CPU_SET(i, &some);
    check(sched_setaffinity(0, sizeof some, &some) == 0, "choose processors");
}

} // namespace

struct Injector::Parts {
    wire *skeleton = wire::open_and_load();

    explicit Parts(const std::string &interface) {
        check(skeleton != nullptr, "load the bench's programs");
        skeleton->bss->target = if_nametoindex(interface.c_str());
        check(skeleton->bss->target != 0, interface.c_str());
    }
    Parts(const Parts &) = delete;
    ~Parts() { wire::destroy(skeleton); }

    int program(Shape shape) const {
        const auto &programs = skeleton->progs;
        return bpf_program__fd(shape == Shape::ipv4          ? programs.send_ipv4
                               : shape == Shape::ipv4_tagged ? programs.send_ipv4_tagged
                                                             : programs.send_ipv6);
    }

    // The sums without the source that the frame has, from its checksums.
    void fill(const packets::Bytes &frame, Shape shape) {
        const bool v4 = shape != Shape::ipv6;
        const std::size_t source = shape == Shape::ipv4 ? 26 : shape == Shape::ipv4_tagged ? 30 : 34;
        const std::size_t transport = source + (v4 ? 8 : 20);
        const bool tcp = frame[v4 ? source - 3 : 20] == 6;
        auto &shared = *skeleton->bss;
        shared.transport_checksum_at = static_cast<__u32>(transport + (tcp ? 16 : 6));
        auto without = [&](std::size_t checksum) {
            std::uint32_t sum = 0;
            for (std::size_t at : {checksum, source, source + 2}) {
                std::uint16_t word;
                std::memcpy(&word, &frame[at], 2);
                sum += 0xffffu - word;
            }
            return sum;
        };
        shared.ip_sum = v4 ? without(source - 2) : 0;
        shared.transport_sum = without(shared.transport_checksum_at);
    }

    void fill(const std::vector<std::uint32_t> &sources) {
        auto &shared = *skeleton->bss;
        if (sources.empty() || sources.size() > std::size(shared.sources) ||
            (sources.size() & (sources.size() - 1)) != 0)
            throw std::logic_error("the number of sources is no power of two");
        std::memcpy(shared.sources, sources.data(), sources.size() * sizeof sources[0]);
        shared.mask = static_cast<__u32>(sources.size() - 1);
    }

    int fill(const Traffic &traffic) {
        fill(traffic.sources);
        fill(traffic.frame, traffic.shape);
        return program(traffic.shape);
    }
};

Injector::Injector() : Injector("far") { turn_on_gro("near"); }

Injector::Injector(const std::string &interface) {
    libbpf_set_print([](libbpf_print_level, const char *, va_list) { return 0; });
    parts_ = std::make_unique<Parts>(interface);
    run_on(last_processor(), last_processor() + 1);
}

Injector::~Injector() = default;

double Injector::rate(const Traffic &traffic, double seconds) {
    int program = parts_->fill(traffic);
    Undisturbed undisturbed;
    send(program, traffic.frame, kFrames); // caches and branch predictors
    std::uint64_t before = received(), sent = 0;
    double start = seconds_now(), took = 0;
    for (; took < seconds; took = seconds_now() - start, sent += kFrames)
        send(program, traffic.frame, kFrames);
    std::uint64_t arrived = received() - before;
    if (arrived < sent - sent / 1000)
        throw std::runtime_error(std::to_string(sent - arrived) + " of " + std::to_string(sent) +
                                 " frames did not arrive");
    return double(sent) / took;
}

// The kernel enters a program that is attached nowhere into its XDP dispatcher at every call, which
// takes longer than a burst; hence its place on the loopback device.
std::uint64_t Injector::flood(const Traffic &traffic, double per_second, double seconds) {
    int program = parts_->fill(traffic);
    const int loopback = static_cast<int>(if_nametoindex("lo"));
    check(bpf_xdp_attach(loopback, program, XDP_FLAGS_SKB_MODE, nullptr) == 0, "attach to lo");
    Undisturbed undisturbed; // as packets from outside are: they come before any process's work
    const auto burst = static_cast<unsigned>(std::max(1.0, per_second / 1000));
    std::uint64_t sent = 0;
    double start = seconds_now(), took = 0;
    for (; took < seconds; took = seconds_now() - start) {
        if (double early = double(sent) / per_second - took; early > 0)
            usleep(static_cast<useconds_t>(early * 1e6));
        send(program, traffic.frame, burst);
        sent += burst;
    }
    bpf_xdp_detach(loopback, XDP_FLAGS_SKB_MODE, nullptr);
    return sent;
}

int Injector::drop_program() const { return bpf_program__fd(parts_->skeleton->progs.drop); }

OnOtherProcessors::OnOtherProcessors() {
    if (last_processor() > 0) run_on(0, last_processor());
}

OnOtherProcessors::~OnOtherProcessors() { run_on(last_processor(), last_processor() + 1); }

Undisturbed::Undisturbed() {
    sched_param priority{};
    priority.sched_priority = 1;
    check(sched_setscheduler(0, SCHED_FIFO, &priority) == 0, "ask for real-time priority");
}

Undisturbed::~Undisturbed() {
    sched_param priority{};
    sched_setscheduler(0, SCHED_OTHER, &priority);
}

double seconds_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return double(now.tv_sec) + double(now.tv_nsec) * 1e-9;
}

} // namespace bench
