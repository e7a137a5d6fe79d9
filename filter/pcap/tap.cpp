// SPDX-License-Identifier: Apache-2.0
#include "filter/pcap/tap.hpp"

#include "filter/failure.hpp"
#include "filter/pcap/offload.hpp"
#include "filter/tables.hpp"
#include "filter/tun.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <utility>

namespace filter::pcap {

namespace {

Descriptor any_socket() { return Descriptor(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

// What does not exist (IPv6 is switched off) need not be set.
void write_sysctl(const std::string &path, int value) {
    const std::string file = "/proc/sys/net/" + path;
    const Descriptor open_file(open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!open_file && errno == ENOENT) return;
    const std::string text = std::to_string(value);
    if (!open_file || write(open_file.get(), text.data(), text.size()) < 0)
        fail("write " + file, errno);
}

std::string name_for(const std::string &interface) {
    const std::string name = "nlb-" + interface;
    if (name.size() < IFNAMSIZ) return name;
    return "nlb-" + std::to_string(if_nametoindex(interface.c_str()));
}

} // namespace

Readdressed readdress(std::span<const std::uint8_t> frame, std::uint64_t mac_word) {
    MacAddress destination;
    std::memcpy(destination.data(), &mac_word, destination.size());
    return {destination, frame.subspan(destination.size())};
}

Tap::Tap(const std::string &interface) : name_(name_for(interface)) {
    make();
    bring_up();
}

void Tap::make() {
    Descriptor device = open_tun();
    ifreq request = request_for(name_);
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
    if (ioctl(device.get(), TUNSETIFF, &request) != 0)
        fail("make TAP device " + name_, errno,
             errno == EBUSY ? "something of that name is there: `ip link delete " + name_ + "`"
                            : "run as root, or with CAP_NET_ADMIN");
    ifreq address = request_for(name_);
    if (ioctl(device.get(), SIOCGIFHWADDR, &address) != 0)
        fail("ask for the address of " + name_, errno);
    MacAddress mac;
    std::memcpy(mac.data(), address.ifr_hwaddr.sa_data, mac.size());
    mac_word_ = filter::mac_word(mac);
    if (device_ && dup3(device.get(), device_.get(), O_CLOEXEC) < 0)
        fail("exchange TAP device " + name_, errno); // the packets' thread sees no gap
    if (!device_) device_ = std::move(device);
}

void Tap::bring_up() const {
    write_sysctl("ipv4/conf/" + name_ + "/rp_filter", 2);
    write_sysctl("ipv6/conf/" + name_ + "/disable_ipv6", 0);
    write_sysctl("ipv6/conf/" + name_ + "/addr_gen_mode", 1); // no link-local address
    write_sysctl("ipv6/conf/" + name_ + "/accept_ra", 0);
    filter::bring_up(name_);
}

bool Tap::stands() const {
    ifreq request{};
    if (ioctl(device_.get(), TUNGETIFF, &request) != 0) return false;
    return ioctl(any_socket().get(), SIOCGIFFLAGS, &request) == 0 &&
           (request.ifr_flags & IFF_UP) != 0;
}

void Tap::heal() {
    ifreq request{};
    if (ioctl(device_.get(), TUNGETIFF, &request) != 0)
        make();
    else
        name_ = request.ifr_name; // it may have been renamed
    bring_up();
}

bool Tap::deliver(std::span<const std::uint8_t> frame, std::size_t mtu) const {
    if (frame.size() < sizeof(MacAddress)) return false;
    const auto [destination, rest] = readdress(frame, mac_word_);
    struct {
        Offload offload;
        MacAddress destination;
    } start{offload_of(frame, mtu), destination};
    static_assert(sizeof start == sizeof(Offload) + sizeof(MacAddress));
    const iovec parts[] = {{&start, sizeof start},
                           {const_cast<std::uint8_t *>(rest.data()), rest.size()}};
    return writev(device_.get(), parts, 2) >= 0;
}

} // namespace filter::pcap
