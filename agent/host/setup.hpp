// SPDX-License-Identifier: Apache-2.0
//
// What the agent changes on the host, set at start and taken back at stop:
//   - the virtual IPs as addresses of lo, so that the host accepts packets to them and, being told
//     by the sysctls below, says nothing about them in ARP; about an IPv6 address on lo the kernel
//     is silent by itself. They have host scope (IPv6: are deprecated), so that the kernel never
//     picks one as the source of a connection or of an ARP request of its own, which would spread
//     this node's MAC for a virtual IP. Where routers are told of them, they are on a device that says so
//     (announcement.hpp) instead.
//   - arp_ignore >= 1 and arp_announce >= 2 for the whole host: another interface in the clients'
//     segment would answer for the virtual IPs with its own MAC
//   - drop_unicast_in_l2_multicast for the whole host: whatever the interface by which a frame to
//     the cluster's MAC arrives, and even if the filter was removed, the stack discards it. The filter hands accepted
//     frames on as this host's own
//   - rp_filter = 2, loose, on the interface, where the host had it strict
//   - where accepted frames have another entrance (pcap), the virtual IPs there as well
//   - what makes the interface accept the cluster MAC: a static link-layer group (multicast), a
//     second unicast MAC (unicast), or an address with the autojoin flag, for which the kernel is a
//     member of the group and reports that to switches (igmp). Unlike a socket's membership each of
//     them outlives the process: a crash of the agent must not stop the frames while the filter
//     goes on serving.
//
// Everything is written down in a record file *before* it is changed. So an agent that was killed
// leaves a record, and the next one takes over what is there: at the end the host is as it was
// before the first of them. What was there before (an address on lo, a sysctl already strict
// enough) is not ours and stays.
//
// Attach the filter first and detach it last: with these addresses and no filter every node would
// answer.
#pragma once

#include "agent/host/obstacle.hpp"
#include "agent/host/record.hpp"
#include "agent/host/settings.hpp"
#include "agent/host/state.hpp"

#include <optional>
#include <string>
#include <vector>

namespace agent {

class HostSetup {
  public:
    // Takes over what an earlier agent of the same network namespace and boot left in record_file,
    // undoes the changes that are no longer wanted, and makes the missing ones. Throws
    // std::runtime_error, "verb object: cause"; then the host is as it was before.
    HostSetup(const HostSettings &wish, const std::string &record_file);
    ~HostSetup(); // restores, unless restore() or keep() was called
    HostSetup(const HostSetup &) = delete;
    HostSetup &operator=(const HostSetup &) = delete;

    // Call about once a second, and after a link change: restores missing changes, also on a
    // recreated interface. Returns what was restored, one line each, for the log.
    // A missing interface is skipped. Throws std::runtime_error when something
    // cannot be put back: try again later.
    std::vector<std::string> heal(HostSeen seen = look_at_host());

    // Virtual IPs change in two steps: those that go are taken off the host while the filter still knows
    // them, and those that come are put there when it knows them already. withdraw() throws nothing: what
    // could not be taken off is tried again by heal(). configure() throws as heal() does, and heal() then
    // goes on with it.
    void withdraw(const std::vector<filter::IpAddress> &kept) noexcept;
    void configure(const HostSettings &wish);

    const HostSettings &wish() const { return wish_; }
    // As obstacle.hpp; of addresses as of the last heal().
    std::optional<Obstacle> misplaced() const { return find_misplaced(wish_, state_); }
    std::optional<Obstacle> obstacle_to(const HostSettings &wish) const;

    // Restores the host and removes the record. Tries everything, then throws the
    // first failure; the record stays in that case.
    void restore();

    void keep() { active_ = false; } // leave all in place for a successor

  private:
    void undo_unwanted(const std::vector<HostChange> &wished);
    void undo_recorded(std::size_t place);
    void remove_unwished_addresses();
    void write_down(const std::vector<HostChange> &changes);
    std::vector<std::string> settle(const std::vector<HostChange> &wished);

    HostSettings wish_;
    std::string record_file_;
    HostState state_;
    HostRecord record_;
    bool active_ = true;
};

} // namespace agent
