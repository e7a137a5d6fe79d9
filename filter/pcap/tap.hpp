// SPDX-License-Identifier: Apache-2.0
//
// The host's entrance for accepted frames: a TAP device, whose other end is this process. The kernel
// takes a packet for an address of its own by whichever interface it comes, and sends the answer by
// its routes, so by the ordinary interface with the node's own MAC. The agent puts the virtual IPs
// on the device all the same, beside those on lo: by a device without any address the kernel lets
// nothing in whose sender it would answer by another one (rp_filter, even when it is loose). The
// device vanishes with the process that has made it, and is made anew by the next; connections
// live on, for their address stays on lo.
//
// The sysctls say that its packets may come from anywhere (rp_filter 2: there is a route back, by
// another interface) and that it has nothing to say on its own.
#pragma once

#include "filter/address.hpp"
#include "filter/descriptor.hpp"

#include <atomic>
#include <cstdint>
#include <span>
#include <string>

namespace filter::pcap {

// A frame as the host is given it: addressed to `destination`, and the rest as it came.
struct Readdressed {
    MacAddress destination;
    std::span<const std::uint8_t> rest;
};
Readdressed readdress(std::span<const std::uint8_t> frame, std::uint64_t mac_word);

class Tap {
  public:
    // "nlb-eth0" for eth0. Throws, "verb object: cause".
    explicit Tap(const std::string &interface);

    const std::string &name() const { return name_; }

    // False when it was deleted or taken down.
    bool stands() const;
    // Makes it stand again. Throws.
    void heal();

    // Hands a frame to the host, addressed to this device whatever it was addressed to before. By
    // any thread. False: the kernel does not take it. mtu: of the interface that it came by.
    bool deliver(std::span<const std::uint8_t> frame, std::size_t mtu) const;

  private:
    void make();
    void bring_up() const;

    std::string name_;
    std::atomic<std::uint64_t> mac_word_ = 0; // heal() may change it under deliver()
    Descriptor device_; // the same number for as long as this lives
};

} // namespace filter::pcap
