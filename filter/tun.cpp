// SPDX-License-Identifier: Apache-2.0
#include "filter/tun.hpp"

#include "filter/failure.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace filter {
namespace {

// Root is not told to be root.
std::string way_to_tun(int error) {
    const bool root = geteuid() == 0;
    if (error == ENOENT || error == ENODEV)
        return std::string("`modprobe tun`") + (root ? "" : " as root") +
               "; where that does not make the device, `mknod /dev/net/tun c 10 200`";
    if (root) return "let this container use the device (character device 10:200)";
    return "`chmod 666 /dev/net/tun`, which udev does, or run as root";
}

} // namespace

Descriptor open_tun() {
    Descriptor device(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!device) fail("open /dev/net/tun", errno, way_to_tun(errno));
    return device;
}

ifreq request_for(const std::string &device) {
    ifreq request{};
    device.copy(request.ifr_name, sizeof request.ifr_name - 1);
    return request;
}

void bring_up(const std::string &device) {
    ifreq request = request_for(device);
    const Descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (ioctl(any.get(), SIOCGIFFLAGS, &request) != 0) fail("find device " + device, errno);
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    if (ioctl(any.get(), SIOCSIFFLAGS, &request) != 0) fail("bring up " + device, errno);
}

} // namespace filter
