// SPDX-License-Identifier: Apache-2.0
// The gate is a socket filter of one instruction, "keep nothing": the kernel runs it before a SYN allocates
// anything. Closing the socket instead would need ZeroMQ's thread, which may be busy with the very callers
// that the gate keeps out.
#include "agent/control/gate.hpp"

#include "agent/base/failure.hpp"
#include "filter/interface.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace agent {
namespace {

using namespace std::chrono_literals;

constexpr int kWaiting = 16; // connections that ZeroMQ has not accepted yet
constexpr int kSegment = 1220; // bytes, in both directions: as IPv6 promises of every link (RFC 8200, section 5)

template <class Value>
void set(int socket, int level, int option, const Value &value, const std::string &what) {
    if (setsockopt(socket, level, option, &value, sizeof value) != 0) fail(what);
}

filter::Descriptor open_socket(int family) {
    return filter::Descriptor(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

int bind_any(int socket, bool v6, std::uint16_t port) {
    if (v6) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        return bind(socket, reinterpret_cast<const sockaddr *>(&address), sizeof address);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    return bind(socket, reinterpret_cast<const sockaddr *>(&address), sizeof address);
}

} // namespace

// An IPv6 socket that takes IPv4 as well; on a kernel without IPv6 an IPv4 one.
ControlGate::ControlGate(const std::string &interface, std::uint16_t port)
    : index_(filter::index_of(interface)), socket_(open_socket(AF_INET6)) {
    const std::string here = "listen for commands on " + interface;
    const bool v6 = static_cast<bool>(socket_);
    if (!v6) socket_ = open_socket(AF_INET);
    if (!socket_) fail(here);
    set(socket_.get(), SOL_SOCKET, SO_REUSEADDR, 1, here);
    set(socket_.get(), IPPROTO_IP, IP_TTL, 1, here);
    set(socket_.get(), IPPROTO_TCP, TCP_MAXSEG, kSegment, here); // a network that loses long frames is to be heard of
    if (v6) {
        set(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0, here);
        set(socket_.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1, here);
    }
    if (setsockopt(socket_.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                   static_cast<socklen_t>(interface.size() + 1)) != 0)
        fail(here);
    if (bind_any(socket_.get(), v6, port) != 0 || listen(socket_.get(), kWaiting) != 0)
        fail(here + ", port " + std::to_string(port));
}

int ControlGate::duplicate() const {
    const int copy = fcntl(socket_.get(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) fail("duplicate the socket for commands");
    return copy;
}

void ControlGate::set_open(bool open) {
    if (open == open_) return;
    sock_filter keep_nothing[] = {{BPF_RET | BPF_K, 0, 0, 0}};
    const sock_fprog program{1, keep_nothing};
    const int none = 0;
    const int result =
        open ? setsockopt(socket_.get(), SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none)
             : setsockopt(socket_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    if (result == 0) open_ = open; // on failure, the next turn tries again
}

std::uint64_t ControlGate::dropped() const {
    std::uint32_t memory[SK_MEMINFO_VARS] = {};
    socklen_t size = sizeof memory;
    return getsockopt(socket_.get(), SOL_SOCKET, SO_MEMINFO, memory, &size) == 0
               ? memory[SK_MEMINFO_DROPS]
               : 0;
}

void Callers::take(CallerEvent event, std::uint32_t value, heartbeat::Time now) {
    switch (event) {
    case CallerEvent::accepted:
        open_.insert(value);
        in_second_ = lately(now) + 1;
        if (now - second_ >= 1s) second_ = now;
        return;
    case CallerEvent::proved:
        ++proved_;
        return;
    case CallerEvent::cut_off:
        ++cut_off_;
        break;
    case CallerEvent::wrong_key:
        ++wrong_key_;
        break;
    case CallerEvent::not_expected:
        ++not_expected_;
        break;
    case CallerEvent::closed:
        open_.erase(value);
        if (!told_) ++silent_;
        told_ = false;
        return;
    }
    told_ = true;
}

std::size_t Callers::lately(heartbeat::Time now) const {
    return now - second_ >= 1s ? 0 : in_second_;
}

} // namespace agent
