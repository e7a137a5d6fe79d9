// SPDX-License-Identifier: Apache-2.0
//
// Frames that the doctor's capture hands over: as they come, and with the tag of a node that holds
// the key.
//
//     [kind: 0 as it comes; 1 sealed, of EtherType 0x88B5; 2 sealed, in UDP] [frame, or what stands
//     before the tag]
#include "target.hpp"

#include "agent/frames/message.hpp"
#include "agent/frames/probe.hpp"

#include <sodium.h>

#include <algorithm>
#include <vector>

namespace {

using namespace agent;
using Bytes = std::vector<std::uint8_t>;

constexpr ProbeKey kKey{7};

void take(const Bytes &frame) {
    const auto opened = open_probe(frame, kKey);
    if (const auto *probe = std::get_if<Probe>(&opened)) {
        fuzz::expect(is_meant_as_probe(frame), "what opens is seen to be meant as one");
        fuzz::expect(static_cast<std::size_t>(probe->kind) < kProbeKinds, "a kind that has a name");
        const ProbeRoute route{{3, 0xbf, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 1}, {}, {}};
        fuzz::expect(open_probe(build_probe(*probe, route, kKey), kKey) == opened,
                     "what opened is built again");
    }
    const auto within = [&](std::span<const std::uint8_t> part) {
        return part.empty() || (part.data() >= frame.data() &&
                                part.data() + part.size() <= frame.data() + frame.size());
    };
    if (const auto datagram = parse_datagram(frame))
        fuzz::expect(within(datagram->bytes), "a datagram in its frame");
    parse_echo_reply(frame);
    parse_claim(frame);
    parse_solicitation(frame);
}

// The body with the tag of a holder of the key, in one of two dresses.
Bytes sealed(std::span<const std::uint8_t> body, bool in_udp) {
    Bytes message(body.begin(), body.end());
    message.resize(std::max<std::size_t>(16, message.size()));
    std::array<std::uint8_t, 16> tag{};
    crypto_generichash(tag.data(), tag.size(), message.data(), 16, kKey.data(), kKey.size());
    message.insert(message.begin() + 16, tag.begin(), tag.end());
    Bytes frame(12, 2);
    if (in_udp) {
        const auto size =
            static_cast<std::uint8_t>(std::min<std::size_t>(message.size() + 28, 255));
        frame.insert(frame.end(), {8, 0, 0x45, 0, 0,  size, 0,
                                   0, 0, 0,    1, 17, 0,    0,
                                   1, 1, 1,    1, 2,  2,    2,
                                   2, 0, 9,    0, 9,  0,    static_cast<std::uint8_t>(size - 20),
                                   0, 0});
    } else {
        frame.insert(frame.end(), {0x88, 0xb5});
    }
    frame.insert(frame.end(), message.begin(), message.end());
    return frame;
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    if (size == 0) return 0;
    const std::span<const std::uint8_t> rest(data + 1, size - 1);
    take(data[0] % 3 == 0 ? Bytes(rest.begin(), rest.end()) : sealed(rest, data[0] % 3 == 2));
    return 0;
}
