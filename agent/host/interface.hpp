// SPDX-License-Identifier: Apache-2.0
//
// The interfaces of this host: filter/interface.hpp says what one is now, LinkWatch no more than "look
// again".
#pragma once

#include "agent/base/poll.hpp"
#include "filter/descriptor.hpp"
#include "filter/interface.hpp"

namespace agent {

using filter::find_interface;
using filter::Interface;

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
