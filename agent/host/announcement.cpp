// SPDX-License-Identifier: Apache-2.0
#include "agent/host/announcement.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/failure.hpp"
#include "agent/base/log.hpp"
#include "agent/host/interface.hpp"
#include "agent/host/netlink.hpp"
#include "agent/host/privileges.hpp"
#include "agent/host/state.hpp"
#include "filter/tun.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace agent {
namespace {

using namespace std::chrono_literals;
using filter::Descriptor;
using heartbeat::Time;

constexpr int kMostForItsEnd = 1000; // ms
const std::string kDevice = kAnnounceDevice;

void set_carrier(int device, int carrier) {
    if (ioctl(device, TUNSETCARRIER, &carrier) != 0) fail("switch the carrier of " + kDevice);
}

Descriptor open_device() {
    Descriptor device = filter::open_tun();
    ifreq request = filter::request_for(kDevice);
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_NO_CARRIER;
    if (ioctl(device.get(), TUNSETIFF, &request) != 0)
        fail("make device " + kDevice,
             errno == EBUSY || errno == EINVAL ? "something of that name is there: `ip link delete " + kDevice + "`"
                                               : "run as root, or with CAP_NET_ADMIN");
    return device;
}

void configure(const Descriptor &device) {
    set_carrier(device.get(), 0);
    if (ioctl(device.get(), TUNSETPERSIST, 1) != 0) fail("keep device " + kDevice);
    if (HostState::has_ipv6(kDevice))
        for (const auto &[name, value] : {std::pair("ipv6/disable_ipv6", 0), std::pair("ipv6/addr_gen_mode", 1),
                                          std::pair("ipv6/accept_ra", 0), std::pair("ipv6/ignore_routes_with_linkdown", 0)})
            HostState::write_sysctl(kDevice, name, value);
    set_dormant(filter::index_of(kDevice)); // until the kernel has seen that the carrier is missing
    filter::bring_up(kDevice);
}

void remove_device() {
    const Descriptor device = open_device();
    if (ioctl(device.get(), TUNSETPERSIST, 0) != 0) fail("remove device " + kDevice);
}

// The newest message; nothing: none waits. Ends the process with the agent.
std::optional<Time> hear(int agent) {
    std::optional<Time> newest;
    std::int64_t until = 0;
    for (;;) {
        const ssize_t size = recv(agent, &until, sizeof until, MSG_DONTWAIT);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) _exit(0);
        if (size < 0) return newest;
        newest = Time(until);
    }
}

// A file descriptor is all that it needs.
[[noreturn]] void guard(int agent, int device) {
    Time until{};
    bool announced = false;
    for (;;) {
        if (const auto told = hear(agent)) until = *told;
        const Time left = until - boot_now();
        if (announced != (left > 0ns)) {
            announced = left > 0ns;
            set_carrier(device, announced);
        }
        pollfd waiting{agent, POLLIN, 0};
        const timespec timeout{left / 1s, (left % 1s).count()};
        ppoll(&waiting, 1, announced ? &timeout : nullptr, nullptr);
    }
}

// In the child: every other descriptor is the agent's, and would keep its sockets open.
[[noreturn]] void begin_guard(int agent, int device) {
    try {
        prctl(PR_SET_NAME, kAnnounceDevice);
        keep_only({});
        if (dup2(agent, STDIN_FILENO) < 0 || dup2(device, STDOUT_FILENO) < 0 ||
            syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) != 0)
            _exit(1);
        guard(STDIN_FILENO, STDOUT_FILENO);
    } catch (...) {
        _exit(1); // the device is gone, or no longer ours: the agent looks after that
    }
}

} // namespace

Announcement::Announcement() { make(); }

Announcement::~Announcement() {
    end_guard();
    try {
        remove_device();
    } catch (const std::exception &error) {
        log::error(std::string("announcement: the device is left (") + error.what() + ")");
    }
}

void Announcement::make() {
    end_guard();
    const Descriptor device = open_device();
    configure(device);
    index_ = filter::index_of(kDevice);
    start_guard(device);
}

void Announcement::start_guard(const Descriptor &device) {
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) fail("make a pair of sockets");
    Descriptor here(ends[0]);
    const Descriptor there(ends[1]);
    const pid_t child = fork();
    if (child < 0) fail("start the announcement's guard");
    if (child == 0) {
        here = Descriptor(); // its closing tells of the agent's end
        begin_guard(there.get(), device.get());
    }
    guard_ = std::move(here);
    process_ = child;
    until_ = {};
}

// One that does not end by itself: another process may have stopped it.
void Announcement::end_guard() {
    if (process_ == 0) return;
    guard_ = Descriptor();
    const Descriptor end(static_cast<int>(syscall(SYS_pidfd_open, process_, 0)));
    pollfd ended{end.get(), POLLIN, 0};
    if (poll(&ended, 1, kMostForItsEnd) == 0) kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
}

bool Announcement::guard_lives() const {
    pollfd guard{guard_.get(), 0, 0};
    return process_ != 0 && (poll(&guard, 1, 0) != 1 || (guard.revents & POLLHUP) == 0);
}

void Announcement::set_until(Time until) {
    if (until == until_) return;
    const std::int64_t count = until.count();
    if (send(guard_.get(), &count, sizeof count, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof count) until_ = until;
}

std::string Announcement::heal() {
    const auto device = find_interface(kDevice);
    const bool same = device && device->index == index_;
    std::string what;
    if (!same || !guard_lives()) {
        what = same ? "the guard of " + kDevice : "device " + kDevice;
        make();
    } else if (!device->up) {
        what = "up: " + kDevice;
        filter::bring_up(kDevice);
    }
    return what;
}

void Announcement::look(Time now) {
    const auto device = find_interface(kDevice);
    const bool announced = device && device->running;
    if (announced == announced_ && since_ != Time{}) return;
    if (announced || since_ != Time{})
        log::info(announced ? "announcement: begins (device=" + kDevice + ")"
                            : "announcement: ends (device=" + kDevice + ")");
    announced_ = announced;
    since_ = now;
}

void Announcement::remove_left_over() {
    if (filter::index_of(kDevice) != 0) remove_device();
}

} // namespace agent
