// SPDX-License-Identifier: Apache-2.0
//
// One UDP socket under the beats: bound to an interface, and there to a group or to an address of this
// host, so that what is sent to another address never comes in by it.
//
// Beats stay on the link. Those to a group leave with a TTL of 1, and no router sends them on. One to an
// address could come from anywhere: they leave with the highest TTL there is, 255, and what arrives with
// a lower one has passed a router and is dropped by the kernel (RFC 5082).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

namespace heartbeat {

inline constexpr int kNearTtl = 255; // of a beat to an address, on leaving and on arriving

struct Address { // a host's or a group's
    std::array<std::uint8_t, 16> bytes{}; // IPv4: the first four
    bool v6 = false;
    bool operator==(const Address &) const = default;
};
bool is_group(const Address &address);
std::string to_string(const Address &address); // "192.0.2.11"

// As the socket calls take it.
struct Target {
    sockaddr_storage storage{};
    socklen_t size = 0;

    const sockaddr *get() const { return reinterpret_cast<const sockaddr *>(&storage); }
};

// A beat that another node waits for is marked as such in its IP header: CS7 instead of CS6 (RFC 2474). So a socket can leave
// it to another one, and need not wake the agent for what can be read a little later.
enum class Takes : std::uint8_t { all, urgent, others };

// What a socket takes in, and how what it sends is marked.
struct Inlet {
    std::string interface;
    int index; // the interface's
    Address to;
    std::uint16_t port;    // UDP
    std::uint64_t cluster; // as in Envelope: beats of others are left to the kernel
    Takes takes = Takes::all;
};
Target target_of(const Address &to, std::uint16_t port, int index);

// Non-blocking, and a member where `to` is a group, except Takes::urgent: a host's membership is enough for all sockets,
// and announce() needs it to be one's alone. Throws std::runtime_error.
int open_socket(const Inlet &inlet);

// Tells the network again that this host is a member. 0, or the error.
int announce(int socket, const Target &group, int index);

// Whether the kernel has an IPv6 address to send from: not one that it still checks for a duplicate.
bool has_ipv6_source(const Target &group);

// Sends to each by one call where it can; never blocks. To how many; errno is that of the last failure.
std::size_t send_to_each(int socket, std::span<const std::uint8_t> datagram, const std::vector<Target> &targets);

std::string cause(int error); // in words
[[noreturn]] void fail(const std::string &what); // throws std::runtime_error, "what: cause of errno"

} // namespace heartbeat
