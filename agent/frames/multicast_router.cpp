// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/multicast_router.hpp"

#include "agent/base/failure.hpp"
#include "agent/host/interface.hpp"
#include "filter/descriptor.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstdint>
#include <netinet/in.h>
#include <sys/socket.h>
#include <vector>

namespace agent {
namespace {

// RFC 4286: types of IGMP and of ICMPv6, and the shortest pause that it allows.
constexpr std::uint8_t kAdvertisement4 = 0x30, kTermination4 = 0x32;
constexpr std::uint8_t kAdvertisement6 = 151, kTermination6 = 153;
constexpr std::chrono::seconds kPause{4};

using Message = std::vector<std::uint8_t>;

// An advertisement says how often it comes, and the querier's interval and robustness: 0, we are
// none.
Message advertisement(std::uint8_t type) {
    return {type, static_cast<std::uint8_t>(kPause.count()), 0, 0, 0, 0, 0, 0};
}
Message termination(std::uint8_t type) { return {type, 0, 0, 0}; }

// With the Internet checksum of a message of which the first two bytes alone are not zero.
Message sealed(Message message) {
    message[2] = static_cast<std::uint8_t>(~message[0]);
    message[3] = static_cast<std::uint8_t>(~message[1]);
    return message;
}

class RawSocket {
  public:
    RawSocket(int family, int protocol)
        : descriptor_(socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol)) {}

    template <class Value>
    bool set(int level, int option, const Value &value) const {
        return setsockopt(descriptor_.get(), level, option, &value, sizeof value) == 0;
    }
    template <class Address>
    bool send(const Message &message, const Address &to) const {
        return sendto(descriptor_.get(), message.data(), message.size(), 0,
                      reinterpret_cast<const sockaddr *>(&to),
                      sizeof to) == static_cast<ssize_t>(message.size());
    }

  private:
    filter::Descriptor descriptor_;
};

bool send_v4(const Interface &self, const Message &message) {
    const std::array<std::uint8_t, 4> router_alert{0x94, 4, 0, 0}; // RFC 2113
    ip_mreqn out{};
    out.imr_ifindex = self.index;
    sockaddr_in all_snoopers{};
    all_snoopers.sin_family = AF_INET;
    all_snoopers.sin_addr.s_addr = htonl(0xe000006a); // 224.0.0.106
    const RawSocket raw(AF_INET, IPPROTO_IGMP);       // its time to live: 1, as ever for multicast
    return raw.set(IPPROTO_IP, IP_MULTICAST_IF, out) &&
           raw.set(IPPROTO_IP, IP_OPTIONS, router_alert) && raw.send(sealed(message), all_snoopers);
}

// The kernel fills in the checksum of an ICMPv6 message.
bool send_v6(const Interface &self, const Message &message) {
    const std::array<std::uint8_t, 8> router_alert{0, 0, 5, 2,
                                                   0, 0, 1, 0}; // RFC 2711: an extension header
    sockaddr_in6 all_snoopers{};
    all_snoopers.sin6_family = AF_INET6;
    all_snoopers.sin6_scope_id = static_cast<std::uint32_t>(self.index);
    inet_pton(AF_INET6, "ff02::6a", &all_snoopers.sin6_addr);
    const RawSocket raw(AF_INET6, IPPROTO_ICMPV6);
    return raw.set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1) &&
           raw.set(IPPROTO_IPV6, IPV6_HOPOPTS, router_alert) && raw.send(message, all_snoopers);
}

} // namespace

MulticastRouter::~MulticastRouter() {
    try {
        const auto self = find_interface(interface_);
        if (!self || !self->running) return;
        send_v4(*self, termination(kTermination4));
        if (with_ipv6_) send_v6(*self, termination(kTermination6));
    } catch (const std::exception &) { // no descriptor is left: the bridges forget it after a while
    }
}

void MulticastRouter::advertise(heartbeat::Time now, bool link_changed) {
    if (now < next_ && !link_changed) return;
    const auto self = find_interface(interface_);
    if (!self || !self->running) return;
    if (!send_v4(*self, advertisement(kAdvertisement4)) ||
        (with_ipv6_ && !send_v6(*self, advertisement(kAdvertisement6))))
        fail("advertise a multicast router on " + interface_);
    next_ = now + kPause;
}

} // namespace agent
