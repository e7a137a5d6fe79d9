// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/receiver.hpp"

#include <array>
#include <cstdio>

namespace agent {
namespace {

// A question with a tag and options; a longer one is not a question.
constexpr filter::Ring::Size kRing{256, 256 << 10};

constexpr std::size_t kArpSender = 14, kArpTarget = 24, kIcmpv6Target = 48; // where they stand

// "(arp[24:4] = 0xc0000264)", "(ip6[48:4] = 0xfd000000 and ...)": four bytes at a time.
std::string address_is(const filter::IpAddress &address, std::size_t start) {
    const std::string header = address.is_v4() ? "arp" : "ip6";
    const std::size_t length = address.is_v4() ? 4 : 16;
    std::string text;
    for (std::size_t i = 0; i < length; i += 4) {
        std::array<char, 64> term;
        const auto &b = address.bytes;
        std::snprintf(term.data(), term.size(), "%s%s[%zu:4] = 0x%02x%02x%02x%02x",
                      i == 0 ? "" : " and ", header.c_str(), start + i, b[i], b[i + 1], b[i + 2],
                      b[i + 3]);
        text += term.data();
    }
    return "(" + text + ")";
}

std::string any_of(const std::vector<filter::IpAddress> &addresses, bool v4) {
    std::string text;
    for (const auto &address : addresses)
        if (address.is_v4() == v4)
            text +=
                (text.empty() ? "" : " or ") + address_is(address, v4 ? kArpTarget : kIcmpv6Target);
    return text;
}

} // namespace

std::string capture_filter(const std::vector<filter::IpAddress> &virtual_ips) {
    std::string text;
    if (const auto targets = any_of(virtual_ips, true); !targets.empty())
        text = "(arp[6:2] = 1 and (" + targets + "))";
    if (const auto targets = any_of(virtual_ips, false); !targets.empty())
        text += std::string(text.empty() ? "" : " or ") + "(ip6[6] = 58 and ip6[40] = 135 and (" +
                targets + "))";
    return text;
}

std::string answer_filter(const filter::IpAddress &address) {
    if (address.is_v4()) return "arp[6:2] = 2 and " + address_is(address, kArpSender);
    return "ip6[6] = 58 and ip6[40] = 136 and " + address_is(address, kIcmpv6Target);
}

NeighbourCapture::NeighbourCapture(const std::string &interface, const std::string &filter)
    : ring_(interface, filter::Way::in, filter, kRing) {}

std::span<const std::uint8_t> NeighbourCapture::next() {
    const auto found = ring_.next();
    return found ? found->frame : std::span<const std::uint8_t>{};
}

} // namespace agent
