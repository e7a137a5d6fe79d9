// SPDX-License-Identifier: Apache-2.0
#include "agent/neighbour_capture.hpp"

#include <array>
#include <cstdio>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdexcept>
#include <sys/socket.h>

namespace agent {
namespace {

constexpr int kSnapLength =
    256; // a question with a tag and options; a longer one is not a question
constexpr int kBufferSize = 256 * 1024; // of the kernel's ring

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

[[noreturn]] void fail(const std::string &interface, const std::string &cause) {
    throw std::runtime_error("capture on " + interface + ": " + cause);
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

void NeighbourCapture::Close::operator()(pcap *handle) const { pcap_close(handle); }

NeighbourCapture::NeighbourCapture(const std::string &interface, const std::string &filter) {
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    std::unique_ptr<pcap, Close> handle(pcap_create(interface.c_str(), error.data()));
    if (!handle) fail(interface, error.data());
    pcap_set_snaplen(handle.get(), kSnapLength);
    pcap_set_buffer_size(handle.get(), kBufferSize);
    pcap_set_immediate_mode(handle.get(), 1); // else frames wait in the buffer, for 0.3 s and more
    const int result = pcap_activate(handle.get());
    if (result == PCAP_ERROR_IFACE_NOT_UP || result == PCAP_ERROR_NO_SUCH_DEVICE) return;
    if (result < 0)
        fail(interface, std::string(pcap_statustostr(result)) + ", " + pcap_geterr(handle.get()));
    bpf_program program{};
    if (pcap_compile(handle.get(), &program, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
        fail(interface, pcap_geterr(handle.get()));
    const int installed = pcap_setfilter(handle.get(), &program);
    pcap_freecode(&program);
    if (installed != 0 || pcap_setdirection(handle.get(), PCAP_D_IN) != 0)
        fail(interface, pcap_geterr(handle.get()));
    if (pcap_setnonblock(handle.get(), 1, error.data()) != 0) fail(interface, error.data());
    // Or the kernel copies every packet's head that this host sends, for the filter to refuse it;
    // kernels before 4.20 go on doing so.
    const int yes = 1;
    setsockopt(pcap_fileno(handle.get()), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes);
    handle_ = std::move(handle);
}

int NeighbourCapture::descriptor() const {
    return handle_ ? pcap_get_selectable_fd(handle_.get()) : -1;
}

std::span<const std::uint8_t> NeighbourCapture::next() {
    pcap_pkthdr *header = nullptr;
    const std::uint8_t *bytes = nullptr;
    const int result = handle_ ? pcap_next_ex(handle_.get(), &header, &bytes) : 0;
    if (result < 0) handle_.reset();
    if (result != 1) return {};
    return {bytes, header->caplen};
}

} // namespace agent
