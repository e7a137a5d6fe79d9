// SPDX-License-Identifier: Apache-2.0
//
// The SYN-ACKs that this host has sent from its virtual IPs, remembered for as long as a client may
// answer them. XDP can ask the kernel which sequence number a half-open connection began with, and
// whether an ACK carries a valid SYN cookie; from user space neither can be asked. But both ask the
// same thing: does this ACK acknowledge what we sent?
//
// A table of fixed size: nothing grows in a flood. A word for each, in sets of four, at the place
// where the hash of addresses, ports and acknowledged number points: its high bits tell them apart,
// the low ones are the time; the oldest of a set is overwritten. The hash is keyed, so that an
// attacker cannot aim at another's place.
#pragma once

#include "filter/verdict/user_verdict.hpp"

#include <span>

namespace filter::pcap {

class SynAcks {
  public:
    static constexpr std::size_t kWords = 1 << 18;

    // The words outlive this object, and are 0 at first.
    SynAcks(std::span<std::uint64_t, kWords> words, const __u64 key[2])
        : words_(words), key_{key[0], key[1]} {}

    void sent(const TcpSegment &syn_ack, std::uint64_t now_ns);
    // Whether what came from a client acknowledges one of them.
    bool acknowledged_by(const TcpSegment &segment, std::uint64_t now_ns) const;

  private:
    std::span<std::uint64_t, kWords> words_;
    __u64 key_[2];
};

} // namespace filter::pcap
