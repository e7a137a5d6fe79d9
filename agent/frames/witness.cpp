// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/witness.hpp"

#include "agent/frames/message.hpp"
#include "agent/frames/reply.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

namespace agent {
namespace {

using filter::IpAddress;

// So many bytes of the socket address at `at`, copied: a netmask need not be aligned.
template <class SocketAddress, class Bytes>
void copy_address(const sockaddr *from, std::size_t at, Bytes &to, std::size_t size) {
    SocketAddress whole{};
    std::memcpy(&whole, from, sizeof whole);
    std::memcpy(to.data(), reinterpret_cast<const char *>(&whole) + at, size);
}

std::array<std::uint8_t, 16> bytes_of(const sockaddr *address) {
    std::array<std::uint8_t, 16> bytes{};
    if (address->sa_family == AF_INET)
        copy_address<sockaddr_in>(address, offsetof(sockaddr_in, sin_addr), bytes, 4);
    else
        copy_address<sockaddr_in6>(address, offsetof(sockaddr_in6, sin6_addr), bytes, 16);
    return bytes;
}

OwnAddress own_address(const ifaddrs &entry) {
    OwnAddress own;
    own.address.family =
        entry.ifa_addr->sa_family == AF_INET ? IpAddress::Family::v4 : IpAddress::Family::v6;
    own.address.bytes = bytes_of(entry.ifa_addr);
    for (const std::uint8_t byte : bytes_of(entry.ifa_netmask))
        own.prefix += static_cast<unsigned>(std::popcount(byte));
    return own;
}

bool share_prefix(const OwnAddress &own, const IpAddress &target) {
    for (unsigned bit = 0; bit < own.prefix; ++bit)
        if ((own.address.bytes[bit / 8] ^ target.bytes[bit / 8]) & (0x80 >> bit % 8)) return false;
    return true;
}

bool link_local_v6(const IpAddress &address) {
    return !address.is_v4() && address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80;
}

} // namespace

Witness::Witness(const std::string &interface, const filter::IpAddress &address,
                 const std::vector<filter::IpAddress> &virtual_ips, heartbeat::Duration interval)
    : interface_(interface), address_(address), virtual_ips_(virtual_ips), pause_(interval / 2),
      line_(interface, answer_filter(address)) {
    heal();
}

std::optional<heartbeat::Time> Witness::answered() {
    constexpr int batch = 64; // a flood of answers must not keep the loop from its beats
    bool heard = false;
    for (int i = 0; i < batch; ++i) {
        const auto frame = line_.next();
        if (frame.empty()) break;
        const bool valid = parse_answer(frame) == address_;
        ++(valid ? counters_.answered : counters_.malformed);
        heard |= valid;
    }
    return heard ? asked_ : std::nullopt;
}

// MAC and address are looked up each time: an administrator may change them.
void Witness::ask(heartbeat::Time now) {
    if (!line_.is_open() || (asked_ && now - *asked_ < pause_)) return;
    asked_ = now;
    const auto from = asker(address_, own_addresses(interface_), virtual_ips_);
    const auto mac = line_.mac();
    const bool sent = mac && line_.send(build_question(address_, from, *mac));
    ++(sent ? counters_.asked : counters_.send_errors);
}

std::vector<OwnAddress> own_addresses(const std::string &interface) {
    ifaddrs *raw = nullptr;
    if (getifaddrs(&raw) != 0) return {};
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(raw, &freeifaddrs);
    std::vector<OwnAddress> own;
    for (const ifaddrs *entry = raw; entry != nullptr; entry = entry->ifa_next) {
        const bool ip =
            entry->ifa_addr && entry->ifa_netmask &&
            (entry->ifa_addr->sa_family == AF_INET || entry->ifa_addr->sa_family == AF_INET6);
        if (ip && interface == entry->ifa_name) own.push_back(own_address(*entry));
    }
    return own;
}

IpAddress asker(const IpAddress &target, const std::vector<OwnAddress> &own,
                const std::vector<IpAddress> &virtual_ips) {
    for (const OwnAddress &candidate : own)
        if (candidate.address.family == target.family &&
            (share_prefix(candidate, target) || link_local_v6(candidate.address)) &&
            std::find(virtual_ips.begin(), virtual_ips.end(), candidate.address) ==
                virtual_ips.end())
            return candidate.address;
    return {target.family, {}};
}

} // namespace agent
