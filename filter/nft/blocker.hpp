// SPDX-License-Identifier: Apache-2.0
//
// An nftables chain on the interface's ingress, behind captures and tc programs and before everything
// else, drops frames to a virtual IP, except neighbour discovery, which is none of the filter's
// business. It outlives the process: a node whose agent has died is silent, not open. It has two uses:
//   - originals: the host's stack is not to see the frames that the pcap datapath captures, since a
//     capture is a copy. All are dropped.
//   - unmarked: frames carry the node's own MAC (delivery = "forward"), so Ethernet keeps none from a
//     host whose filter is gone. Those are dropped that the tc program has not marked; the mark, which
//     is not the host's business, ends here.
//
// The chain is in a table of its own, "netdev nlbd-eth0" or "netdev nlbd-lock-eth0" for eth0, whose
// comment tells it from any other. It is written with libnftables. Reading it back costs milliseconds, so that is
// done only when the kernel's rule set has another generation than when it was last looked at.
#pragma once

#include "filter/address.hpp"
#include "filter/descriptor.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace filter::nft {

enum class Blocked { originals, unmarked };

class Blocker {
  public:
    // In place of what a predecessor has left, in one transaction; that goes in the end only when it
    // has been taken over: a start that fails leaves what keeps the node silent. Throws, "verb
    // object: cause", also when there is a table of this name that no nlbd has made.
    Blocker(Blocked what, const std::string &interface, const std::vector<IpAddress> &virtual_ips);
    Blocker(const Blocker &) = delete;
    ~Blocker(); // removes what is its own

    // For these from now on, in one transaction. When that fails it is not in_place(), and heal() tries again.
    void block(const std::vector<IpAddress> &virtual_ips);

    bool in_place() const; // the rules, as they were written; the kernel is asked
    void heal();        // writes them again; throws
    const std::string &table() const { return table_; }
    void take_over() { ours_ = true; }
    void keep() { ours_ = false; }

  private:
    void write();
    std::uint32_t generation() const;

    Blocked what_;
    std::string interface_, table_, rules_;
    Descriptor netlink_;
    std::string written_; // as the kernel gives it back
    mutable std::uint32_t seen_ = 0; // generation in which it was last found standing
    bool ours_ = false;
};

// What an agent that was killed has left; nothing to do is fine. Throws when it cannot be removed.
void remove_blocker(Blocked what, const std::string &interface);

} // namespace filter::nft
