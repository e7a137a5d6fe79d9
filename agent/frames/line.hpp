// SPDX-License-Identifier: Apache-2.0
//
// One interface on which frames are sent with libnet and, by a filter of the kernel's, heard with
// libpcap: other frames do not wake the agent. What the filter picks may still be malformed.
#pragma once

#include "agent/base/poll.hpp"
#include "agent/frames/sender.hpp"
#include "filter/address.hpp"
#include "filter/pcap/ring.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace agent {

// The capture filter: ARP requests and neighbour solicitations for exactly these addresses, and what
// others say of them, ARP messages from them and neighbour advertisements. Frames
// with a VLAN tag as well: the kernel has taken the tag out when the filter runs, and libpcap puts
// it back afterwards.
std::string capture_filter(const std::vector<filter::IpAddress> &virtual_ips);

// ARP replies of exactly this IPv4 address.
std::string answer_filter(const filter::IpAddress &address);

class Line {
  public:
    // Closed at first. Without a capture filter it hears nothing. ether_type: Ring's.
    explicit Line(std::string interface, std::string filter = {},
                  std::uint16_t ether_type = filter::pcap::Ring::kAllTypes)
        : interface_(std::move(interface)), filter_(std::move(filter)), ether_type_(ether_type) {}

    // To be called at the start, about once a second, and after a link change: opens it when the
    // interface is up, and anew when it was down or another one has come under its name. True when
    // it did. Throws std::runtime_error when that fails: try again later.
    bool heal();

    // Hears by another filter from the next frame on; no frame is missed. Throws, and is closed then.
    void set_filter(const std::string &filter);

    void wait(Poll &poll) const { poll.read(descriptor()); }
    int descriptor() const { return ring_ ? ring_->descriptor() : -1; } // changes with heal(); -1: closed
    // The next frame that waits, valid until the next call; empty when there is none. Never blocks.
    // When the interface goes down or away it closes.
    std::span<const std::uint8_t> next();

    bool is_open() const { return sender_.has_value(); } // for sending
    bool send(const std::vector<std::uint8_t> &frame) { return sender_ && sender_->send(frame); }
    std::optional<filter::MacAddress> mac() const; // FrameSender's; nothing while closed
    void close();

  private:
    bool hears() const { return ring_.has_value() || filter_.empty(); }

    std::string interface_, filter_;
    std::uint16_t ether_type_;
    int index_ = 0; // of the interface that is open
    std::optional<filter::pcap::Ring> ring_;
    std::optional<FrameSender> sender_;
};

} // namespace agent
