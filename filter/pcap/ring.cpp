// SPDX-License-Identifier: Apache-2.0
#include "filter/pcap/ring.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdexcept>
#include <sys/socket.h>

namespace filter::pcap {

namespace {

// With what the kernel puts in front of a frame, they fill a slot of 2 KiB, or of 64.
constexpr int kShort = 1900, kLong = 65440;
constexpr Ring::Size kShortRing{kShort, 8 << 20}, kLongRing{kLong, 16 << 20};
constexpr Ring::Size kDepartures{256, 2 << 20};

constexpr std::size_t most_waiting(Ring::Size size) {
    return static_cast<std::size_t>(size.bytes / size.snap_length);
}

[[noreturn]] void fail(const std::string &device, const std::string &cause) {
    throw std::runtime_error("capture on " + device + ": " + cause);
}

std::string hosts(const char *direction, const std::vector<IpAddress> &addresses, bool v4) {
    std::string text;
    for (const IpAddress &address : addresses)
        if (address.is_v4() == v4)
            text += (text.empty() ? "" : " or ") + std::string(v4 ? "ip " : "ip6 ") + direction +
                    " host " + to_string(address);
    return text.empty() ? text : "(" + text + ")";
}

std::string either(const std::string &one, const std::string &other) {
    return one.empty() || other.empty() ? one + other : "(" + one + " or " + other + ")";
}

std::string arriving(const std::vector<IpAddress> &addresses) {
    return either(hosts("dst", addresses, true), hosts("dst", addresses, false));
}

// Less a VLAN tag, which is put back after the filter.
const std::string kFitsShort = std::to_string(kShort - 4);

std::string short_arriving(const std::vector<IpAddress> &addresses) {
    return arriving(addresses) + " and len <= " + kFitsShort;
}

std::string long_arriving(const std::vector<IpAddress> &addresses) {
    return arriving(addresses) + " and len > " + kFitsShort;
}

std::string syn_acks(const std::vector<IpAddress> &addresses) {
    std::string v4 = hosts("src", addresses, true), v6 = hosts("src", addresses, false);
    if (!v4.empty()) v4 = "(" + v4 + " and tcp[tcpflags] & (tcp-syn|tcp-ack) == (tcp-syn|tcp-ack))";
    if (!v6.empty()) v6 = "(" + v6 + " and ip6[6] = 6 and ip6[53] & 0x12 = 0x12)";
    return either(v4, v6);
}

} // namespace

void Ring::Close::operator()(::pcap *handle) const { pcap_close(handle); }

Ring::Ring(const std::string &device, Way way, const std::string &filter, Size size, std::uint16_t ether_type)
    : way_(way), device_(device) {
    std::array<char, PCAP_ERRBUF_SIZE> error{};
    std::unique_ptr<::pcap, Close> handle(pcap_create(device.c_str(), error.data()));
    if (!handle) fail(device, error.data());
    pcap_set_snaplen(handle.get(), size.snap_length);
    pcap_set_buffer_size(handle.get(), size.bytes);
    pcap_set_immediate_mode(handle.get(), 1);
    pcap_set_protocol_linux(handle.get(), ether_type);
    pcap_set_tstamp_precision(handle.get(), PCAP_TSTAMP_PRECISION_NANO);
    const int result = pcap_activate(handle.get());
    if (result == PCAP_ERROR_IFACE_NOT_UP || result == PCAP_ERROR_NO_SUCH_DEVICE) return;
    if (result < 0)
        fail(device, std::string(pcap_statustostr(result)) + ", " + pcap_geterr(handle.get()));
    bpf_program program{};
    if (pcap_compile(handle.get(), &program, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
        fail(device, pcap_geterr(handle.get()));
    const int installed = pcap_setfilter(handle.get(), &program);
    pcap_freecode(&program);
    // Not as a term of the filter ("inbound"): libpcap judges the first frame itself, and cannot.
    const pcap_direction_t direction = way == Way::in ? PCAP_D_IN : PCAP_D_OUT;
    if (installed != 0 || pcap_setdirection(handle.get(), direction) != 0)
        fail(device, pcap_geterr(handle.get()));
    if (pcap_setnonblock(handle.get(), 1, error.data()) != 0) fail(device, error.data());
    // Or every packet that this host sends is copied for the filter to refuse it; kernels before
    // 4.20 go on doing so.
    const int ignore = way == Way::in;
    setsockopt(pcap_fileno(handle.get()), SOL_PACKET, PACKET_IGNORE_OUTGOING, &ignore,
               sizeof ignore);
    handle_ = std::move(handle);
}

// libpcap would let nothing through for a moment, to empty the ring. What is in the ring may stay, because its reader
// looks at each frame's address. On "any", the program has to be adapted to the cooked link header.
void Ring::set_filter(const std::string &filter) {
    if (!handle_) return;
    bpf_program program{};
    if (pcap_compile(handle_.get(), &program, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0)
        fail(device_, pcap_geterr(handle_.get()));
    sock_fprog kernels{static_cast<unsigned short>(program.bf_len),
                       reinterpret_cast<sock_filter *>(program.bf_insns)};
    const int result =
        way_ == Way::in ? setsockopt(pcap_fileno(handle_.get()), SOL_SOCKET, SO_ATTACH_FILTER, &kernels,
                                     sizeof kernels)
                        : pcap_setfilter(handle_.get(), &program);
    const std::string cause = way_ == Way::in ? std::strerror(errno) : pcap_geterr(handle_.get());
    pcap_freecode(&program);
    if (result != 0) fail(device_, cause);
}

int Ring::descriptor() const { return handle_ ? pcap_get_selectable_fd(handle_.get()) : -1; }

const std::optional<Captured> &Ring::peek() {
    if (waiting_ || !handle_) return waiting_;
    pcap_pkthdr *header = nullptr;
    const std::uint8_t *bytes = nullptr;
    const int result = pcap_next_ex(handle_.get(), &header, &bytes);
    if (result < 0) handle_.reset();
    if (result != 1) return waiting_;
    const auto seconds = static_cast<std::uint64_t>(header->ts.tv_sec);
    waiting_ = {seconds * 1'000'000'000 + static_cast<std::uint64_t>(header->ts.tv_usec),
                {bytes, header->caplen},
                header->caplen == header->len};
    return waiting_;
}

std::optional<Captured> Ring::next() {
    const auto found = peek();
    waiting_.reset();
    return found;
}

std::uint64_t Ring::take_lost() {
    pcap_stat numbers{};
    if (!handle_ || pcap_stats(handle_.get(), &numbers) != 0) return 0;
    const std::uint32_t more = numbers.ps_drop - lost_;
    lost_ = numbers.ps_drop;
    return more;
}

const std::size_t Arrivals::kMostWaiting = most_waiting(kShortRing) + most_waiting(kLongRing);

Arrivals::Arrivals(const std::string &interface, const std::vector<IpAddress> &virtual_ips)
    : short_(interface, Way::in, short_arriving(virtual_ips), kShortRing),
      long_(interface, Way::in, long_arriving(virtual_ips), kLongRing) {}

void Arrivals::set_virtual_ips(const std::vector<IpAddress> &virtual_ips) {
    short_.set_filter(short_arriving(virtual_ips));
    long_.set_filter(long_arriving(virtual_ips));
}

void Departures::set_virtual_ips(const std::vector<IpAddress> &virtual_ips) {
    ring_.set_filter(syn_acks(virtual_ips));
}

Departures::Departures(const std::vector<IpAddress> &virtual_ips)
    : ring_("any", Way::out, syn_acks(virtual_ips), kDepartures) {}

// A cooked header has 16 bytes, and the type at their end as an Ethernet header has.
std::optional<std::span<const std::uint8_t>> Departures::next() {
    const auto found = ring_.next();
    if (!found || found->frame.size() < 16) return std::nullopt;
    return found->frame.subspan(2);
}

} // namespace filter::pcap
