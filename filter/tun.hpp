// SPDX-License-Identifier: Apache-2.0
// The kernel's maker of TUN and TAP devices: network devices whose other end is a process.
#pragma once

#include "filter/descriptor.hpp"

#include <net/if.h>
#include <string>

namespace filter {

Descriptor open_tun(); // throws `open /dev/net/tun: cause; way out`

ifreq request_for(const std::string &device); // to be told more, for an ioctl

// Throws `find device NAME: cause` and the like.
void bring_up(const std::string &device);

} // namespace filter
