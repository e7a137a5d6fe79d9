// SPDX-License-Identifier: Apache-2.0
// Frames for the neighbour tests, as they were captured from a Linux client, and helpers to bend
// them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

using Frame = std::vector<std::uint8_t>;

// Pairs of hexadecimal digits; blanks are for the eye.
inline Frame bytes(std::string_view hex) {
    const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    Frame frame;
    for (std::size_t i = 0; i + 1 < hex.size();) {
        if (hex[i] == ' ') {
            ++i;
            continue;
        }
        frame.push_back(static_cast<std::uint8_t>(digit(hex[i]) << 4 | digit(hex[i + 1])));
        i += 2;
    }
    return frame;
}

// The ICMPv6 checksum of an untagged frame without extension headers, written where it belongs.
inline Frame with_checksum(Frame frame) {
    frame[56] = frame[57] = 0;
    std::uint32_t sum = 58 + static_cast<std::uint32_t>(frame.size() - 54);
    for (std::size_t i = 22; i < frame.size(); ++i)
        sum += i % 2 == 0 ? static_cast<std::uint32_t>(frame[i]) << 8 : frame[i];
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    frame[56] = static_cast<std::uint8_t>(~sum >> 8);
    frame[57] = static_cast<std::uint8_t>(~sum);
    return frame;
}

// A copy with one byte changed; for a solicitation with the checksum made right again.
inline Frame with(Frame frame, std::size_t at, std::uint8_t value) {
    frame[at] = value;
    return frame;
}

// Client 0a:00:00:00:00:01, 192.0.2.1, asks for 192.0.2.100.
inline const Frame kArpRequest =
    bytes("ffffffffffff 0a0000000001 0806"
          "0001 0800 06 04 0001 0a0000000001 c0000201 000000000000 c0000264");

// Client fd00::1 asks for fd00::64 in its group, giving its own link-layer address.
inline const Frame kSolicitation = with_checksum(
    bytes("3333ff000064 0a0000000001 86dd"
          "60000000 0020 3a ff fd000000000000000000000000000001 ff0200000000000000000001ff000064"
          "87 00 0000 00000000 fd000000000000000000000000000064"
          "01 01 0a0000000001"));

// The same without options, from the unspecified address: a probe for duplicates.
inline const Frame kProbe = with_checksum(
    bytes("3333ff000064 0a0000000001 86dd"
          "60000000 0018 3a ff 00000000000000000000000000000000 ff0200000000000000000001ff000064"
          "87 00 0000 00000000 fd000000000000000000000000000064"));

// 192.0.2.1 at 0a:00:00:00:00:01 answers 192.0.2.11 at 0a:00:00:00:00:99.
inline const Frame kArpReply =
    bytes("0a0000000099 0a0000000001 0806"
          "0001 0800 06 04 0002 0a0000000001 c0000201 0a0000000099 c000020b");

// fd00::1 answers fd00::11: solicited, with its link-layer address.
inline const Frame kAdvertisement = with_checksum(
    bytes("0a0000000099 0a0000000001 86dd"
          "60000000 0020 3a ff fd000000000000000000000000000001 fd000000000000000000000000000011"
          "88 00 0000 60000000 fd000000000000000000000000000001"
          "02 01 0a0000000001"));

// A frame with an 802.1Q tag put behind its addresses.
inline Frame tagged(Frame frame, std::uint16_t tag) {
    const Frame inserted{0x81, 0x00, static_cast<std::uint8_t>(tag >> 8),
                         static_cast<std::uint8_t>(tag)};
    frame.insert(frame.begin() + 12, inserted.begin(), inserted.end());
    return frame;
}
