// SPDX-License-Identifier: Apache-2.0
#include "agent/host/state.hpp"

#include "agent/base/failure.hpp"
#include "agent/host/interface.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <net/if.h>
#include <sstream>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace agent {
namespace {

using Kind = HostChange::Kind;

// "arp_ignore" is one of IPv4's, "ipv6/accept_ra" one of IPv6's.
std::string sysctl_path(const std::string &device, const std::string &name) {
    const bool ipv6 = name.starts_with("ipv6/");
    return std::string("/proc/sys/net/") + (ipv6 ? "ipv6" : "ipv4") + "/conf/" + device + "/" +
           (ipv6 ? name.substr(5) : name);
}

// The static entries of /proc/net/dev_mcast: index, device, users, static users, address in
// hexadecimal digits.
std::set<std::pair<int, std::string>> static_groups() {
    std::set<std::pair<int, std::string>> groups;
    std::ifstream file("/proc/net/dev_mcast");
    for (std::string line; std::getline(file, line);) {
        std::istringstream fields(line);
        int index = 0, users = 0, fixed = 0;
        std::string device, hex;
        if (!(fields >> index >> device >> users >> fixed >> hex) || fixed == 0 || hex.size() != 12)
            continue;
        for (std::size_t colon = 10; colon > 0; colon -= 2)
            hex.insert(colon, ":");
        groups.emplace(index, hex);
    }
    return groups;
}

filter::MacAddress mac_of(const HostChange &change) {
    const auto mac = filter::parse_mac(change.what);
    if (!mac) throw std::runtime_error("address " + change.what + ": is not a MAC address");
    return *mac;
}

// 0 or errno. The kernel keeps one static entry however often it is added.
int change_group(unsigned long request_code, const HostChange &change) {
    ifreq request{};
    change.device.copy(request.ifr_name, sizeof request.ifr_name - 1);
    request.ifr_hwaddr.sa_family = AF_UNSPEC;
    const auto mac = mac_of(change);
    std::memcpy(request.ifr_hwaddr.sa_data, mac.data(), mac.size());
    const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int result = any >= 0 && ioctl(any, request_code, &request) == 0 ? 0 : errno;
    if (any >= 0) close(any);
    return result;
}

HostAddress address_of(const HostChange &change) {
    const auto address = filter::parse_ip(change.what);
    if (!address) throw std::runtime_error("address " + change.what + ": is not an IP address");
    return {.index = change.index, .address = *address};
}

void check(const std::string &cause, const char *verb, const HostChange &change,
           const char *preposition) {
    if (!cause.empty())
        throw std::runtime_error(std::string(verb) + " " + change.what + " " + preposition + " " +
                                 change.device + ": " + cause);
}

std::string cause_of(int error) { return error == 0 ? "" : std::strerror(error); }

} // namespace

bool HostState::has_ipv6(const std::string &device) {
    return access(sysctl_path(device, "ipv6/disable_ipv6").c_str(), F_OK) == 0;
}

int HostState::read_sysctl(const std::string &device, const std::string &name) {
    const auto path = sysctl_path(device, name);
    int value = 0;
    if (!(std::ifstream(path) >> value))
        throw std::runtime_error("read " + path + ": not readable");
    return value;
}

void HostState::write_sysctl(const std::string &device, const std::string &name, int value) {
    const auto path = sysctl_path(device, name);
    const auto text = std::to_string(value);
    const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    const bool written = descriptor >= 0 && write(descriptor, text.data(), text.size()) ==
                                                static_cast<ssize_t>(text.size());
    const int cause = errno;
    if (descriptor >= 0) close(descriptor);
    if (!written) fail("write " + path, cause);
}

HostSeen look_at_host() { return {HostAddresses().list(), static_groups(), HostMacs().list()}; }

bool HostState::in_place(const HostChange &change) const {
    switch (change.kind) {
    case Kind::sysctl: { // of IPv4's the kernel takes the larger of the two
        const int own = read_sysctl(change.device, change.what);
        const bool alone = change.what.starts_with("ipv6/");
        return (alone ? own : std::max(own, read_sysctl("all", change.what))) >= change.value;
    }
    case Kind::group:
        return seen_.groups.contains({change.index, change.what});
    case Kind::mac:
        return seen_.macs.contains({change.index, mac_of(change)});
    case Kind::address:
    case Kind::membership:
        break;
    }
    return has_address(change);
}

bool HostState::has_address(const HostChange &change) const {
    return std::ranges::any_of(seen_.addresses, [&](const HostAddress &there) {
        return there.index == change.index && filter::to_string(there.address) == change.what;
    });
}

std::vector<HostState::Holder> HostState::holders(const filter::IpAddress &address) const {
    std::vector<Holder> holders;
    char name[IF_NAMESIZE];
    for (const auto &there : seen_.addresses)
        if (there.address == address &&
            if_indextoname(static_cast<unsigned>(there.index), name) != nullptr)
            holders.push_back({name, there.length});
    return holders;
}

void HostState::make(const HostChange &change) {
    switch (change.kind) {
    case Kind::sysctl:
        write_sysctl(change.device, change.what, change.value);
        break;
    case Kind::group:
        check(cause_of(change_group(SIOCADDMULTI, change)), "add", change, "to");
        break;
    case Kind::address:
        check(addresses_.add(address_of(change)), "add", change, "to");
        break;
    case Kind::membership:
        check(addresses_.add_group(address_of(change)), "add", change, "to");
        break;
    case Kind::mac:
        if (const auto cause = macs_.add(change.index, mac_of(change)); !cause.empty())
            check(cause + "; where it takes no second address, choose mac_mode = \"multicast\"", "add",
                  change, "to");
        break;
    }
}

void HostState::undo(const HostChange &change) {
    if (change.index != kWholeHost) {
        const auto device = find_interface(change.device);
        if (!device || device->index != change.index) return; // gone, and the change with it
    }
    switch (change.kind) {
    case Kind::sysctl:
        if (read_sysctl(change.device, change.what) == change.value)
            write_sysctl(change.device, change.what, change.before);
        break;
    case Kind::group: {
        const int error = change_group(SIOCDELMULTI, change);
        check(error == ENOENT ? "" : cause_of(error), "remove", change, "from");
        break;
    }
    case Kind::address:
    case Kind::membership:
        check(addresses_.remove(address_of(change)), "remove", change, "from");
        break;
    case Kind::mac:
        check(macs_.remove(change.index, mac_of(change)), "remove", change, "from");
        break;
    }
}

} // namespace agent
