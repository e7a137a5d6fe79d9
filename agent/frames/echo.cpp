// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/echo.hpp"

#include "filter/descriptor.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace agent {
namespace {

constexpr std::size_t kIpHeader = 20, kEcho = 8;

// The kernel fills in the length and the checksum of the IP header, and a source of 0.0.0.0.
std::array<std::uint8_t, kIpHeader + kEcho>
echo_request(const filter::IpAddress &to, const std::optional<filter::IpAddress> &from,
             std::uint16_t id) {
    constexpr std::uint8_t type = 8;
    std::array<std::uint8_t, kIpHeader + kEcho> packet{};
    packet[0] = 0x45;
    packet[8] = 1; // time to live
    packet[9] = IPPROTO_ICMP;
    if (from) std::copy_n(from->bytes.begin(), 4, packet.begin() + 12);
    std::copy_n(to.bytes.begin(), 4, packet.begin() + 16);
    unsigned sum = (unsigned{type} << 8) + id; // RFC 1071: all other words are 0
    sum = (sum & 0xffff) + (sum >> 16);
    const auto checksum = static_cast<std::uint16_t>(~sum);
    packet[20] = type;
    packet[22] = static_cast<std::uint8_t>(checksum >> 8);
    packet[23] = static_cast<std::uint8_t>(checksum);
    packet[24] = static_cast<std::uint8_t>(id >> 8);
    packet[25] = static_cast<std::uint8_t>(id);
    return packet;
}

} // namespace

bool send_echo(const std::string &interface, const filter::IpAddress &to,
               const std::optional<filter::IpAddress> &from, std::uint16_t id) {
    const filter::Descriptor raw(
        socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW));
    if (!raw || setsockopt(raw.get(), SOL_SOCKET, SO_BINDTODEVICE, interface.c_str(),
                           static_cast<socklen_t>(interface.size())) != 0)
        return false;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    std::copy_n(to.bytes.begin(), 4, reinterpret_cast<std::uint8_t *>(&address.sin_addr));
    const auto packet = echo_request(to, from, id);
    return sendto(raw.get(), packet.data(), packet.size(), 0,
                  reinterpret_cast<const sockaddr *>(&address),
                  sizeof address) == static_cast<ssize_t>(packet.size());
}

} // namespace agent
