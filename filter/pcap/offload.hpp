// SPDX-License-Identifier: Apache-2.0
//
// What a network card and its driver had agreed with the kernel about a frame, and what a capture
// does not show. Frames of this machine's own containers, and segments that the kernel has joined to
// long ones on their way in, carry an unfinished checksum, the sum over the pseudo-header alone,
// because no receiver was going to check it. To a stack that does check they are broken.
//
// Finishing the sum would touch every byte. Instead the frame is handed over with the same agreement
// as before: such a sum is recognised (by the pseudo-header alone), and the TAP device is told where
// it stands. A true checksum that happens to be equal, one in 65,536, goes
// unchecked, which does no harm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace filter::pcap {

// struct virtio_net_hdr of virtio 1.2, 5.1.6, which a TAP device takes in front of each frame.
// (linux/virtio_net.h is not C++.)
struct Offload {
    static constexpr std::uint8_t kNeedsChecksum = 1, kTcp4 = 1, kTcp6 = 4, kCongestion = 0x80;

    std::uint8_t flags, segments; // segments: of which kind this one is made
    std::uint16_t header_length, segment_size;
    std::uint16_t checksum_start, checksum_offset; // summed from here on; where the sum stands
};
static_assert(sizeof(Offload) == 10);

// For an Ethernet frame that holds a well-formed packet; anything else gets an empty header. A TCP
// segment longer than `mtu` is declared to be made of several that fit.
Offload offload_of(std::span<const std::uint8_t> frame, std::size_t mtu);

} // namespace filter::pcap
