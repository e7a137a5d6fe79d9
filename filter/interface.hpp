// SPDX-License-Identifier: Apache-2.0
// What a datapath must know of the network interface that it is put in front of.
#pragma once

#include "filter/address.hpp"

#include <string>

namespace filter {

struct Interface {
    std::string name;
    int index = 0;
    MacAddress mac{};
    std::string driver; // empty when the interface does not say
};

// Looks in the calling process's network namespace. Throws std::runtime_error with the way out.
Interface find_interface(const std::string &name);

} // namespace filter
