// SPDX-License-Identifier: Apache-2.0
//
// Packets in the format of Wireshark's files, each with a comment: PCAP Next Generation
// (draft-ietf-opsawg-pcapng). libpcap writes the older format alone, which has no comments.
// These functions make blocks; the caller writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace agent::pcapng {

// Section header and description of the one interface that packets come from: what a file begins
// with. Times are nanoseconds since 1970.
std::string begin(const std::string &program, const std::string &interface,
                  std::uint32_t longest_packet);

struct Packet {
    std::uint64_t time_ns = 0;
    std::uint32_t length = 0; // on the wire
    std::span<const std::uint8_t> bytes;
    std::string comment;
};
std::string packet(const Packet &packet);

struct Statistics {
    std::uint64_t begun_ns = 0, ended_ns = 0;
    std::uint64_t received = 0, dropped = 0; // dropped: for lack of room, not by a verdict
};
std::string end(const Statistics &statistics);

// Bytes of the blocks that are there to their end, of blocks that were cut off somewhere.
std::size_t whole(std::string_view blocks);

} // namespace agent::pcapng
