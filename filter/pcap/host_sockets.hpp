// SPDX-License-Identifier: Apache-2.0
//
// Which socket of this host a TCP packet belongs to, asked of the kernel (inet_diag, sock_diag(7))
// for exactly these addresses and ports: the look-up that the stack itself would make. An answer
// takes some microseconds and is not kept: a port may be used again by another connection, which is
// another node's, in less time than anything could be believed to stay as it was.
#pragma once

#include "filter/descriptor.hpp"
#include "filter/verdict/user_verdict.hpp"

namespace filter::pcap {

enum class HostSocket { none, listener, request, connection }; // connection: closing, time-wait too

class HostSockets {
  public:
    HostSockets(); // throws, "verb object: cause"
    HostSocket find(const TcpSegment &segment); // none also when the kernel does not say

  private:
    Descriptor socket_;
    std::uint32_t asked_ = 0;
};

} // namespace filter::pcap
