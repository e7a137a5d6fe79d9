// SPDX-License-Identifier: Apache-2.0
//
// One network interface of this host, as the kernel knows it now (in the calling process's network
// namespace). It can go down, come back, or be removed and made anew under the same name with another
// index: so nothing here is cached.
#pragma once

#include "filter/address.hpp"

#include <optional>
#include <string>
#include <vector>

namespace filter {

struct Interface {
    std::string name;
    int index = 0;
    MacAddress mac{};      // its own
    bool ethernet = false; // lo, tunnels and the like are not
    bool up = false;       // by the administrator
    bool running = false;  // up, and with a carrier
};

// Throws `look at interface eth0: Too many open files` and the like; nothing: there is none of that name.
std::optional<Interface> find_interface(const std::string &name);

int index_of(const std::string &name); // 0: there is none, or the kernel cannot be asked now

// As find_interface, for one that must be there. Throws `interface eth9: does not exist; existing: eth0,
// eth1`, and for one that is not Ethernet.
Interface require_interface(const std::string &name);

std::vector<std::string> interface_names(); // without lo, in the kernel's order

std::string driver_of(const std::string &name); // empty when the interface does not say
std::size_t mtu_of(const std::string &name);    // 1500 when the kernel does not say
bool takes_tags_off(const std::string &name);   // the driver does, from arriving frames: XDP does not see VLANs

} // namespace filter
