// SPDX-License-Identifier: Apache-2.0
//
// Frames from libpcap, for the pcap datapath: what arrives for a virtual IP, and the SYN-ACKs that
// leave this host from one.
//
// In immediate mode the kernel's ring is made of slots of one size, and a slot has to hold what the
// kernel has joined to 64 KiB (GRO). In a ring of such slots a burst of small packets would fill
// megabytes with little: hence two rings, one for short frames and one for long ones. The kernel's
// packet filter sorts them; their time stamps bring them back into the order in which they came.
#pragma once

#include "filter/address.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct pcap;

namespace filter::pcap {

struct Captured {
    std::uint64_t when; // nanoseconds
    std::span<const std::uint8_t> frame; // as captured, until the next call
    bool whole;
};

enum class Way { in, out };

// One ring. What libpcap calls a handle.
class Ring {
  public:
    struct Size {
        int snap_length, bytes;
    };
    static constexpr std::uint16_t kAllTypes = 3; // ETH_P_ALL
    // device: an interface, or "any" for all, which gives frames in "cooked" dress. ether_type: of one protocol
    // alone; others do not pass this socket. It hears behind tc, and not before it. Throws, "verb object: cause"; an
    // interface that is down leaves it closed.
    Ring(const std::string &device, Way way, const std::string &filter, Size size,
         std::uint16_t ether_type = kAllTypes);

    bool is_open() const { return handle_ != nullptr; }
    // Another filter from the next frame on; for Way::in, between the two no frame is lost. A closed one has
    // nothing to do. Throws with the former in place.
    void set_filter(const std::string &filter);
    int descriptor() const; // for poll; -1 when closed
    // The frame that next() will return. Closes when the interface goes down.
    const std::optional<Captured> &peek();
    std::optional<Captured> next();
    // How many found the ring full, since the last time this was asked.
    std::uint64_t take_lost();

  private:
    struct Close {
        void operator()(::pcap *handle) const;
    };
    Way way_;
    std::string device_;
    std::unique_ptr<::pcap, Close> handle_;
    std::optional<Captured> waiting_;
    std::uint32_t lost_ = 0;
};

// The frame that came first to either of two rings, of which `second` is looked at once: of two
// frames of a flow, the earlier one is in its ring before the later one is. So when one has been
// seen in the first ring, one of the second ring that came before it will be; the other way round
// takes another look.
template <class AnyRing>
auto next_of(AnyRing &first, AnyRing &second) -> decltype(first.next()) {
    const bool seen = first.peek().has_value();
    const auto &late = second.peek();
    if (!late) return seen ? first.next() : std::nullopt;
    const auto &early = first.peek();
    return early && early->when <= late->when ? first.next() : second.next();
}

// Everything that arrives on an interface for one of the addresses, whatever MAC it was sent to.
class Arrivals {
  public:
    Arrivals(const std::string &interface, const std::vector<IpAddress> &virtual_ips);

    void set_virtual_ips(const std::vector<IpAddress> &virtual_ips); // throws

    static const std::size_t kMostWaiting; // frames that both rings hold together, at most

    bool are_open() const { return short_.is_open() && long_.is_open(); }
    std::vector<int> descriptors() const { return {short_.descriptor(), long_.descriptor()}; }
    std::optional<Captured> next() { return next_of(short_, long_); } // never blocks
    std::uint64_t take_lost() { return short_.take_lost() + long_.take_lost(); }

  private:
    Ring short_, long_;
};

// Whatever interface they leave by: answers go by the host's routes.
class Departures {
  public:
    explicit Departures(const std::vector<IpAddress> &virtual_ips);

    void set_virtual_ips(const std::vector<IpAddress> &virtual_ips); // throws

    bool are_open() const { return ring_.is_open(); }
    int descriptor() const { return ring_.descriptor(); }
    // A SYN-ACK in Ethernet dress, of which only the type is true.
    std::optional<std::span<const std::uint8_t>> next();

  private:
    Ring ring_;
};

} // namespace filter::pcap
