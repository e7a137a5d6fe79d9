// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/witness_asker.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <ifaddrs.h>
#include <memory>
#include <netinet/in.h>

namespace agent {
namespace {

using filter::IpAddress;

// One byte of the socket address at `at`, copied: a netmask need not be aligned.
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
