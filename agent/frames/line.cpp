// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/line.hpp"

#include "agent/host/interface.hpp"

#include <array>
#include <cstdio>

namespace agent {
namespace {

// A question with a tag and options; a longer one is not a question.
constexpr filter::pcap::Ring::Size kRing{256, 256 << 10};

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

std::string any_of(const std::vector<filter::IpAddress> &addresses, bool v4, std::size_t start) {
    std::string text;
    for (const auto &address : addresses)
        if (address.is_v4() == v4) text += (text.empty() ? "" : " or ") + address_is(address, start);
    return text;
}

} // namespace

std::string capture_filter(const std::vector<filter::IpAddress> &virtual_ips) {
    std::string text;
    if (const auto targets = any_of(virtual_ips, true, kArpTarget); !targets.empty())
        text = "(arp[6:2] = 1 and (" + targets + ")) or (" +
               any_of(virtual_ips, true, kArpSender) + ")";
    if (const auto targets = any_of(virtual_ips, false, kIcmpv6Target); !targets.empty())
        text += std::string(text.empty() ? "" : " or ") +
                "(ip6[6] = 58 and (ip6[40] = 135 or ip6[40] = 136) and (" + targets + "))";
    return text;
}

std::string answer_filter(const filter::IpAddress &address) {
    return "arp[6:2] = 2 and " + address_is(address, kArpSender);
}

bool Line::heal() {
    const auto self = find_interface(interface_);
    if (sender_ && sender_->was_down()) close();
    if (!self || !self->up) return false;
    if (sender_ && hears() && self->index == index_) return false;
    close();
    sender_.emplace(interface_);
    index_ = self->index;
    if (filter_.empty()) return true;
    ring_.emplace(interface_, filter::pcap::Way::in, filter_, kRing, ether_type_);
    if (!ring_->is_open()) ring_.reset();
    return ring_.has_value();
}

void Line::set_filter(const std::string &filter) {
    filter_ = filter;
    try {
        if (ring_) ring_->set_filter(filter_);
    } catch (...) {
        close();
        throw;
    }
}

std::span<const std::uint8_t> Line::next() {
    if (!ring_) return {};
    const auto found = ring_->next();
    if (!ring_->is_open()) ring_.reset();
    return found ? found->frame : std::span<const std::uint8_t>{};
}

std::optional<filter::MacAddress> Line::mac() const {
    return sender_ ? sender_->mac() : std::nullopt;
}

void Line::close() {
    ring_.reset();
    sender_.reset();
}

} // namespace agent
