// SPDX-License-Identifier: Apache-2.0
#include "filter/pcap/packet_thread.hpp"

#include "filter/datapath.hpp"
#include "filter/failure.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace filter::pcap {

namespace {

constexpr std::uint8_t kAck = 16;
constexpr int kFramesATurn = 64; // then SYN-ACKs are looked for, and what was lost is counted
constexpr int kPauseMs = 100;    // until an interface that was down is tried again
constexpr std::uint64_t kPatienceNs = 2'000'000'000; // with an interface that has come up
constexpr auto kGlance = std::chrono::microseconds(20); // at a thread that is busy

// Before the servers that it feeds, behind whatever is real-time.
void become_ordinary() {
    const sched_param none{};
    pthread_setschedparam(pthread_self(), SCHED_OTHER, &none);
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), -10); // of this thread alone
    pthread_setname_np(pthread_self(), "packets");
}

// While the agent waits for the thread, the thread has the agent's priority: there is no mutex that
// would lend it. What it does meanwhile is bounded by what the rings hold.
class Hurry {
  public:
    explicit Hurry(pthread_t thread) : thread_(thread) {
        sched_param lent{};
        int policy = SCHED_OTHER;
        pthread_getschedparam(thread_, &policy_, &before_);
        pthread_getschedparam(pthread_self(), &policy, &lent);
        pthread_setschedparam(thread_, policy, &lent);
    }
    ~Hurry() { pthread_setschedparam(thread_, policy_, &before_); }

  private:
    pthread_t thread_;
    int policy_ = SCHED_OTHER;
    sched_param before_{};
};

std::uint64_t boot_now_ns() {
    timespec now{};
    clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

} // namespace

bool PacketHost::has_socket(const TcpSegment &segment) {
    switch (sockets_.find(segment)) {
    case HostSocket::none:
        return false;
    case HostSocket::listener: // with SYN cookies, what an ACK acknowledges is all there is
    case HostSocket::request:
        learn_syn_acks();
        return (segment.flags & kAck) != 0 && syn_acks_.acknowledged_by(segment, boot_ns());
    case HostSocket::connection:
        break;
    }
    return true;
}

// As the BPF program does: a socket in whatever state will do where the packet goes; then the service
// as such, which may listen on another port or virtual IP.
bool PacketHost::has_listener(const TcpSegment &segment, std::uint32_t table) {
    if (table >= NLB_TABLES || sockets_.find(segment) != HostSocket::none) return true;
    nlb_service &service = state_.services[table];
    if (is_service_at(service)) return true;
    if (std::atomic_ref(service.missed).exchange(1) == 0) {
        const std::uint64_t one = 1;
        while (write(alarm_, &one, sizeof one) < 0 && errno == EINTR)
            continue;
    }
    return false;
}

bool PacketHost::is_service_at(const nlb_service &service) {
    TcpSegment there{};
    if (service.family == 0) return false;
    there.family = service.family;
    there.destination[0] = service.address[0];
    there.destination[1] = service.address[1];
    there.destination_port = service.port;
    return sockets_.find(there) != HostSocket::none;
}

std::uint64_t PacketHost::boot_ns() { return boot_now_ns(); }

// In the thread itself: what this host has sent is known before an answer to it is judged.
class PacketThread::Host final : public PacketHost {
  public:
    explicit Host(PacketThread &thread)
        : PacketHost(thread.memory_.state, thread.syn_acks_, thread.sockets_, thread.alarm_),
          thread_(thread) {}

  private:
    void learn_syn_acks() override { thread_.remember_departures(boot_ns()); }
    PacketThread &thread_;
};

PacketThread::PacketThread(const Interface &interface, const std::vector<IpAddress> &virtual_ips,
                           PacketMemory &memory, const Tap &tap, int alarm,
                           const std::string &directory)
    : interface_(interface.name), virtual_ips_(virtual_ips), memory_(memory), tap_(tap),
      syn_acks_(memory.syn_acks, memory.state.config[0].key), alarm_(alarm),
      viewer_(directory, memory.shown),
      arrivals_(std::in_place, interface_, virtual_ips_), departures_(std::in_place, virtual_ips_),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    std::array<int, 2> ends{};
    if (!wake_ ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()))
        fail("start the packets' thread", errno);
    refused_ = {Descriptor(ends[0]), Descriptor(ends[1])};
    see_whether_open();
    thread_ = std::thread([this] { run(); });
}

PacketThread::~PacketThread() {
    ending_ = true;
    wake();
    thread_.join();
}

void PacketThread::wake() {
    const std::uint64_t one = 1;
    while (write(wake_.get(), &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void PacketThread::wait_until(const std::function<bool()> &done) {
    if (done()) return;
    const Hurry hurry(thread_.native_handle());
    while (!done())
        std::this_thread::sleep_for(kGlance);
}

void PacketThread::let_packets_arrive() {
    std::atomic_thread_fence(std::memory_order_seq_cst); // what was stored before is seen by now
    const std::uint64_t frame = busy_;
    wait_until([this, frame] { return frame == 0 || busy_ != frame; });
}

// The question is answered when the thread, after it has seen it, finds the rings empty, or has taken
// as many frames as they hold: in a flood they are never empty.
void PacketThread::let_earlier_frames_be_judged() {
    const std::uint64_t question = ++asked_;
    wake();
    wait_until([this, question] { return answered_ >= question; });
}

void PacketThread::set_virtual_ips(const std::vector<IpAddress> &virtual_ips) {
    next_virtual_ips_ = virtual_ips;
    changing_ = true;
    wake();
    wait_until([this] { return !changing_; });
}

void PacketThread::take_virtual_ips() {
    virtual_ips_ = next_virtual_ips_;
    try {
        if (captures_) {
            arrivals_->set_virtual_ips(virtual_ips_);
            departures_->set_virtual_ips(virtual_ips_);
        }
    } catch (const std::exception &) {
        captures_ = false;
        closed_at_ns_ = boot_now_ns();
    }
    changing_ = false;
}

void PacketThread::frame_taken() {
    if (seen_ == answered_) return;
    if (++since_ > Arrivals::kMostWaiting) answered_ = seen_;
}

void PacketThread::run() {
    become_ordinary();
    Host host(*this);
    while (!ending_) {
        if (changing_) take_virtual_ips();
        std::atomic_ref(memory_.state.answered)
            .store(std::atomic_ref(memory_.state.asked).load(), std::memory_order_release);
        if (captures_ && handle_some(host)) continue;
        if (!captures_) answered_ = asked_.load(); // what a closed ring held is gone
        wait();
        if (!captures_) open_again();
    }
}

// Waits for frames. When some were lost the ring may be empty before that was counted.
void PacketThread::wait() {
    std::vector<pollfd> waiting = {{wake_.get(), POLLIN, 0}};
    if (captures_) {
        for (int fd : arrivals_->descriptors())
            waiting.push_back({fd, POLLIN, 0});
        waiting.push_back({departures_->descriptor(), POLLIN, 0});
    }
    const bool again = !captures_ || !counted_;
    if (poll(waiting.data(), waiting.size(), again ? kPauseMs : -1) == 0) count_lost();
    std::uint64_t woken = 0;
    if (waiting[0].revents && read(wake_.get(), &woken, sizeof woken) < 0) return;
}

// The interface was down, or is.
void PacketThread::open_again() {
    try {
        arrivals_.emplace(interface_, virtual_ips_);
        departures_.emplace(virtual_ips_);
        see_whether_open();
    } catch (const std::exception &) {
        arrivals_.reset();
    }
}

void PacketThread::see_whether_open() {
    const bool before = captures_;
    captures_ = arrivals_->are_open() && departures_->are_open();
    if (captures_ != before) closed_at_ns_ = captures_ ? 0 : boot_now_ns();
}

bool PacketThread::captures() const {
    const std::uint64_t closed = closed_at_ns_;
    return closed == 0 || boot_now_ns() - closed < kPatienceNs;
}

void PacketThread::remember_departures(std::uint64_t now_ns) {
    while (const auto frame = departures_->next())
        if (const auto segment = parse_tcp(*frame)) syn_acks_.sent(*segment, now_ns);
}

// False: there are no more.
bool PacketThread::handle_some(VerdictHost &host) {
    remember_departures(host.boot_ns());
    if (const std::uint64_t asked = asked_; asked != seen_) {
        seen_ = asked;
        since_ = 0;
    }
    for (int i = 0; i < kFramesATurn; i++) {
        const auto captured = arrivals_->next();
        if (!captured) {
            answered_ = seen_;
            see_whether_open();
            return false;
        }
        frame_taken();
        busy_ = ++turn_;
        std::atomic_thread_fence(std::memory_order_seq_cst);
        handle(*captured, host);
        busy_ = 0;
        counted_ = false;
    }
    count_lost();
    return true;
}

void PacketThread::handle(const Captured &captured, VerdictHost &host) {
    if (!captured.whole) return count(NLB_CAPTURE_CUT);
    const std::uint64_t word = decide(memory_.state, captured.frame, host);
    if (std::atomic_ref(memory_.state.captured).load() >> reason_of(word) & 1)
        viewer_.show(word, captured.frame, host.boot_ns());
    if (reason_of(word) == NLB_REFUSED) // without room, the frame gets no answer
        send(refused_.written.get(), captured.frame.data(),
             std::min(captured.frame.size(), kMostRefused), MSG_NOSIGNAL);
    const bool taken = reason_of(word) <= NLB_LAST_TAKEN;
    if (taken && !tap_.deliver(captured.frame, mtu_)) return count(NLB_TAP_REFUSED);
    count(counter_of(word));
}

std::vector<std::vector<std::uint8_t>> PacketThread::take_refused(std::size_t most) {
    std::vector<std::vector<std::uint8_t>> frames;
    std::array<std::uint8_t, kMostRefused> frame;
    while (frames.size() < most) {
        const ssize_t size = recv(refused_.read.get(), frame.data(), frame.size(), 0);
        if (size <= 0) break;
        frames.emplace_back(frame.begin(), frame.begin() + size);
    }
    return frames;
}

void PacketThread::count_lost() {
    count(NLB_CAPTURE_FULL, arrivals_ ? arrivals_->take_lost() : 0);
    counted_ = true;
}

void PacketThread::count(std::uint32_t counter, std::uint64_t packets) {
    std::atomic_ref(memory_.counters.packets[counter])
        .fetch_add(packets, std::memory_order_relaxed);
}

} // namespace filter::pcap
