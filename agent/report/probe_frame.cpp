// SPDX-License-Identifier: Apache-2.0
// RFC 791, 8200, 768 and 9293, byte by byte and in network order.
#include "agent/report/probe_frame.hpp"

namespace agent {
namespace {

using Bytes = std::vector<std::uint8_t>;

void put16(Bytes &frame, std::size_t value) {
    frame.push_back(static_cast<std::uint8_t>(value >> 8));
    frame.push_back(static_cast<std::uint8_t>(value));
}

void put(Bytes &frame, const filter::IpAddress &address) {
    const auto end = address.bytes.begin() + (address.is_v4() ? 4 : 16);
    frame.insert(frame.end(), address.bytes.begin(), end);
}

Bytes segment(Protocol transport, std::uint16_t from, std::uint16_t to, TcpFlags flags) {
    Bytes bytes;
    put16(bytes, from);
    put16(bytes, to);
    if (transport == Protocol::udp) {
        put16(bytes, 8); // length
        put16(bytes, 0); // checksum
        return bytes;
    }
    bytes.insert(bytes.end(), 8, 0); // sequence and acknowledgement
    bytes.push_back(5 << 4);         // data offset, in words
    bytes.push_back(flags == TcpFlags::syn ? 0x02 : 0x10);
    bytes.insert(bytes.end(), 6, 0); // window, checksum, urgent
    return bytes;
}

} // namespace

Bytes probe_frame(Protocol transport, const Endpoint &from, const Endpoint &to,
                  const filter::MacAddress &cluster_mac, TcpFlags flags) {
    constexpr std::uint8_t kSource[] = {0x02, 0, 0, 0, 0, 1};
    const Bytes payload = segment(transport, from.port, to.port, flags);
    const auto protocol = static_cast<std::uint8_t>(transport == Protocol::tcp ? 6 : 17);
    Bytes frame(cluster_mac.begin(), cluster_mac.end());
    frame.insert(frame.end(), std::begin(kSource), std::end(kSource));
    if (from.address.is_v4()) {
        put16(frame, 0x0800);
        put16(frame, 0x4500); // version 4, five words, no service class
        put16(frame, 20 + payload.size());
        frame.insert(frame.end(), {0, 0, 0, 0, 64, protocol, 0, 0}); // no fragment, TTL 64
    } else {
        put16(frame, 0x86dd);
        put16(frame, 0x6000);
        put16(frame, 0);
        put16(frame, payload.size());
        frame.insert(frame.end(), {protocol, 64});
    }
    put(frame, from.address);
    put(frame, to.address);
    frame.insert(frame.end(), payload.begin(), payload.end());
    return frame;
}

} // namespace agent
