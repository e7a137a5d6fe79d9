// SPDX-License-Identifier: Apache-2.0
#include "agent/frames/sender.hpp"

#include "agent/base/failure.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <libnet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace agent {
namespace {

// libnet's link socket receives every packet of the host, and the agent never reads it. Bound to the EtherType
// for local experiments (IEEE 802), it costs other traffic nothing, and it keeps no frame.
void deafen(int descriptor, const std::string &interface) {
    sockaddr_ll unused{};
    unused.sll_family = AF_PACKET;
    unused.sll_protocol = htons(0x88b5);
    unused.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
    if (bind(descriptor, reinterpret_cast<const sockaddr *>(&unused), sizeof unused) != 0)
        fail("bind libnet's socket");
    sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
    const sock_fprog program{1, &none};
    if (setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
        fail("filter libnet's socket");
    std::array<char, 1> waiting; // what came between its opening and the filter
    while (recv(descriptor, waiting.data(), waiting.size(), MSG_DONTWAIT) >= 0) {
    }
}

} // namespace

void FrameSender::Close::operator()(libnet_context *context) const { libnet_destroy(context); }

FrameSender::FrameSender(const std::string &interface) : interface_(interface) {
    std::array<char, LIBNET_ERRBUF_SIZE> error{};
    context_.reset(libnet_init(LIBNET_LINK_ADV, interface.c_str(), error.data()));
    if (!context_) throw std::runtime_error("open " + interface + " for sending: " + error.data());
    const int descriptor = libnet_getfd(context_.get());
    deafen(descriptor, interface);
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0 || fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0)
        fail("open " + interface + " for sending");
}

bool FrameSender::send(const std::vector<std::uint8_t> &frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    const bool sent = libnet_adv_write_link(context_.get(), frame.data(), size) == static_cast<int>(size);
    if (!sent && errno == ENETDOWN) was_down_ = true;
    return sent;
}

bool FrameSender::was_down() {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(libnet_getfd(context_.get()), SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == ENETDOWN)
        was_down_ = true;
    return was_down_;
}

std::optional<filter::MacAddress> FrameSender::mac() const {
    ifreq request{};
    interface_.copy(request.ifr_name, sizeof request.ifr_name - 1);
    if (ioctl(libnet_getfd(context_.get()), SIOCGIFHWADDR, &request) != 0) return std::nullopt;
    filter::MacAddress mac;
    std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

} // namespace agent
