// SPDX-License-Identifier: Apache-2.0
//
// One change on the host, and the record of all of them: a text file, one change a line, that a
// person can read and undo by hand.
//
//     nlbd 1
//     place 5f1c0c1e-...-a1 4097
//     sysctl 0 all arp_ignore 0 1
//     group 2 eth0 03:bf:c0:00:02:64
//     address 1 lo 192.0.2.100
//
// In the other MAC modes a line such as one of these takes the place of the group's:
//
//     membership 2 eth0 239.255.2.100
//     mac 2 eth0 02:bf:c0:00:02:64
#pragma once

#include "filter/address.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace agent {

inline constexpr int kWholeHost = 0; // the index of a change that belongs to no device

struct HostChange {
    enum class Kind {
        sysctl,     // /proc/sys/net/ipv4/conf/DEVICE/what, or what begins with ipv6/: before -> value
        group,      // a static link-layer group: what
        address,    // an IP address with full prefix length: what
        membership, // of an IPv4 group, reported by the kernel: what
        mac,        // a unicast MAC address beside the device's own: what
    };
    Kind kind = Kind::sysctl;
    int index = 0; // the device's: another one under the same name knows nothing of this change
    std::string device;
    std::string what;
    int before = 0; // sysctl alone
    int value = 0;  // sysctl alone

    // Whether both are about the same thing, whatever its value was before.
    bool same_thing(const HostChange &other) const;
    bool operator==(const HostChange &) const = default;
};

std::string to_string(const HostChange &change); // as in the record: "address 1 lo 192.0.2.100"
std::optional<HostChange> parse_change(std::string_view line);

struct HostRecord {
    std::string place; // boot and network namespace; what was changed in another one is gone or
                       // none of ours
    std::vector<HostChange> changes;
    bool operator==(const HostRecord &) const = default;
};

std::string to_string(const HostRecord &record);
std::optional<HostRecord> parse_record(std::string_view text);

// The place of the calling process. Throws std::runtime_error.
std::string this_place();

// An empty record of this place when the file is missing or of another place. Throws
// std::runtime_error when it cannot be read or understood.
HostRecord load_record(const std::string &file);
// Atomic: after a crash at any moment the file holds either the old record or the new one.
void save_record(const HostRecord &record, const std::string &file);

} // namespace agent
