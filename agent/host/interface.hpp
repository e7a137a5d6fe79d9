// SPDX-License-Identifier: Apache-2.0
//
// One Ethernet interface of this host, as the kernel knows it now. An interface can go down, come
// back, or be removed and made anew under the same name with another index: so nothing here is
// cached, and LinkWatch says no more than "look again".
#pragma once

#include "agent/base/poll.hpp"
#include "filter/address.hpp"
#include "filter/descriptor.hpp"

#include <optional>
#include <string>
#include <vector>

namespace agent {

struct HostInterface {
    int index = 0;
    filter::MacAddress mac{}; // its own
    bool ethernet = false;    // lo, tunnels and the like are not
    bool up = false;          // by the administrator
    bool running = false;     // up, and with a carrier
};

// Throws `open socket: Too many open files` and the like; nothing: there is none of that name.
std::optional<HostInterface> find_interface(const std::string &name);

// The same for one that must be there. Throws `interface eth9: does not exist; existing: eth0,
// eth1`, and for one that is not Ethernet.
HostInterface require_interface(const std::string &name);

std::vector<std::string> interface_names(); // without lo, in the kernel's order

class LinkWatch {
  public:
    LinkWatch(); // throws std::runtime_error

    void wait(Poll &poll) const { poll.read(socket_.get()); }
    // Reads all that waits. True when some interface or address may have changed since the last call
    // (lost notices count as a change): look up with find_interface() those that matter.
    bool drain();

  private:
    filter::Descriptor socket_;
};

} // namespace agent
