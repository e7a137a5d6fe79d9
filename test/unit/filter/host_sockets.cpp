// SPDX-License-Identifier: Apache-2.0
// The kernel is asked for one socket: this host's own, over loopback.
#include "filter/pcap/host_sockets.hpp"

#include "filter/descriptor.hpp"

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <netinet/in.h>
#include <sys/socket.h>

using filter::Descriptor;
using filter::pcap::HostSocket;

namespace {

struct Loopback {
    bool v4;
    sockaddr_storage address{};
    socklen_t size = 0;

    explicit Loopback(bool use_v4) : v4(use_v4) {
        if (v4) {
            auto &in = reinterpret_cast<sockaddr_in &>(address);
            in = {.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
            size = sizeof in;
        } else {
            auto &in = reinterpret_cast<sockaddr_in6 &>(address);
            in.sin6_family = AF_INET6;
            in.sin6_addr = in6addr_loopback;
            size = sizeof in;
        }
    }
    Descriptor socket() const { return Descriptor(::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0)); }
    sockaddr *get() { return reinterpret_cast<sockaddr *>(&address); }
};

std::uint16_t port_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    getsockname(fd, reinterpret_cast<sockaddr *>(&address), &size);
    return reinterpret_cast<sockaddr_in &>(address).sin_port; // both families have it there
}

filter::TcpSegment from_client(bool v4, __be16 client, __be16 server) {
    filter::TcpSegment segment{};
    if (v4)
        segment.source[0] = segment.destination[0] = htonl(INADDR_LOOPBACK);
    else
        segment.source[1] = segment.destination[1] = __u64{1} << 56;
    segment.source_port = client;
    segment.destination_port = server;
    segment.family = v4 ? 4 : 6;
    return segment;
}

} // namespace

BOOST_AUTO_TEST_CASE(sockets_are_found_by_their_whole_address) {
    filter::pcap::HostSockets sockets;
    for (bool v4 : {true, false}) {
        Loopback loopback(v4);
        const Descriptor listener = loopback.socket();
        BOOST_REQUIRE(bind(listener.get(), loopback.get(), loopback.size) == 0);
        const __be16 server = port_of(listener.get());
        BOOST_TEST((sockets.find(from_client(v4, 1, server)) == HostSocket::none));
        BOOST_REQUIRE(listen(listener.get(), 1) == 0);
        BOOST_TEST((sockets.find(from_client(v4, 1, server)) == HostSocket::listener));

        socklen_t size = loopback.size;
        getsockname(listener.get(), loopback.get(), &size);
        Descriptor client = loopback.socket();
        BOOST_REQUIRE(connect(client.get(), loopback.get(), size) == 0);
        const __be16 port = port_of(client.get());
        BOOST_TEST((sockets.find(from_client(v4, port, server)) == HostSocket::connection));
        BOOST_TEST((sockets.find(from_client(v4, server, port)) == HostSocket::connection));
        BOOST_TEST((sockets.find(from_client(v4, 1, port)) == HostSocket::none));
        Descriptor accepted(accept(listener.get(), nullptr, nullptr));
        accepted = Descriptor(); // closes first, so it is the one to wait
        client = Descriptor();
        BOOST_TEST((sockets.find(from_client(v4, port, server)) == HostSocket::connection)); // time-wait
    }
}
