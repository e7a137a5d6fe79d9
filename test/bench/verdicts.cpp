// SPDX-License-Identifier: Apache-2.0
#include "parts.hpp"

#include "filters.hpp"
#include "host.hpp"
#include "injector.hpp"
#include "packets.hpp"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

using namespace packets;

namespace bench {

namespace {

constexpr int kRuns = 20000;        // of a program in a batch
constexpr unsigned kBatches = 25;   // of each verdict in a repeat

// What a node is like when the frame comes.
enum class Node { owner, other, nobody, guarded, lingering, expired };

struct Situation {
    std::string reason; // and what tells it from others with the same reason, after a comma
    Node node;
    Bytes frame;
};

Bytes v4(const Segment &segment, const Ip4 &fields = {}) { return ethernet(ipv4(fields, segment)); }
Bytes v6(const Segment &segment, const Ip6 &fields = {}) { return ethernet(ipv6(fields, segment)); }

// Port 80 is ruled by the address, 53 by address and port, 8000 by the network, 9999 disabled.
std::vector<Situation> situations() {
    Segment syn = tcp({}), ack = tcp({.flags = kAck}), query = udp({}), wide = udp({.port = 8000});
    Segment deep = tcp({});
    for (int i = 0; i < 9; i++)
        deep = extension(60, deep);
    Bytes quote = ipv4({.source = "192.0.2.100", .destination = "198.51.100.9"}, tcp({}));
    Bytes tagged = ethernet(ipv4({}, syn), {.tags = {0x8100}});
    Segment elsewhere = tcp({.source = 41000, .flags = kAck});
    return {
        {"not_ip", Node::owner, ethernet(zeros(46), {.type = 0x0806})},
        {"too_short", Node::owner, cut(v4(syn), 30)},
        {"not_virtual_ip, IPv4", Node::owner, v4(syn, {.destination = "192.0.2.7"})},
        {"not_virtual_ip, IPv6", Node::owner, v6(syn, {.destination = "fd00::7"})},
        {"neighbour_discovery", Node::owner, v6(icmpv6(135, zeros(20)))},
        {"foreign, TCP SYN", Node::other, v4(syn)},
        {"foreign, TCP ACK", Node::other, v4(ack)},
        {"foreign, UDP by network", Node::other, v4(wide)},
        {"foreign, UDP by address and port", Node::other, v4(query)},
        {"foreign, TCP SYN tagged", Node::other, tagged},
        {"foreign, TCP SYN over IPv6", Node::other, v6(syn)},
        {"foreign, UDP over IPv6 by network", Node::other, v6(wide)},
        {"foreign, UDP over IPv6 by address and port", Node::other, v6(query)},
        {"foreign, TCP SYN behind an IPv6 extension", Node::other, v6(extension(60, syn))},
        {"foreign, echo request", Node::other, v4(icmp(8))},
        {"no_owner", Node::nobody, v4(syn)},
        {"rule_disabled", Node::owner, v4(tcp({.port = 9999}))},
        {"accepted, TCP SYN", Node::owner, v4(syn)},
        {"accepted, TCP ACK", Node::owner, v4(ack)},
        {"accepted, UDP", Node::owner, v4(query)},
        {"accepted, TCP SYN over IPv6", Node::owner, v6(syn)},
        {"accepted_guarded", Node::guarded, v4(ack)},
        {"guarded", Node::guarded, v4(elsewhere)},
        {"accepted_lingering", Node::lingering, v4(ack)},
        {"lingering_no_socket", Node::lingering, v4(elsewhere)},
        {"lingering_syn", Node::lingering, v4(syn)},
        {"lease_expired", Node::expired, v4(syn)},
        {"icmp_error", Node::owner, v4(icmp(3, zeros(4) + quote))},
        {"icmp_quote", Node::owner, v4(icmp(3, zeros(4) + ipv4({}, tcp({}))))},
        {"later_fragment", Node::owner, v4(other(6), {.fragment = 100})},
        {"ip_header", Node::owner, v4(syn, {.header_words = 4})},
        {"ip_length", Node::owner, v4(syn, {.total = 60})},
        {"truncated", Node::owner, v4(other(6, zeros(8)))},
        {"tcp_header", Node::owner, v4(tcp({.offset = 4}))},
        {"udp_length", Node::owner, v4(udp({.length = 7}))},
        {"too_many_headers", Node::owner, v6(deep)},
    };
}

void become(Node node, filter::Datapath &datapath) {
    const bool owns = node == Node::owner || node == Node::guarded || node == Node::expired;
    datapath.install(owns ? all_mine() : nothing_mine(node != Node::nobody));
    datapath.set_guarded(node == Node::guarded ? all_groups() : filter::GroupSet{});
    datapath.set_lingering(node == Node::lingering ? all_groups() : filter::GroupSet{});
    datapath.set_lease(node == Node::expired ? 1 : kForever);
}

// A connection from 198.51.100.9 port 40000 to 192.0.2.100 port 80, over the loopback device.
class Connection {
  public:
    Connection() {
        shell("ip address add 198.51.100.9/32 dev lo");
        bind_to(listener_, "192.0.2.100", 80);
        bind_to(client_, "198.51.100.9", 40000);
        sockaddr_in server = address("192.0.2.100", 80);
        if (listen(listener_, 1) != 0 ||
            connect(client_, reinterpret_cast<sockaddr *>(&server), sizeof server) != 0)
            throw std::runtime_error("connect to 192.0.2.100");
    }
    Connection(const Connection &) = delete;
    ~Connection() {
        close(client_);
        close(listener_);
    }

  private:
    static sockaddr_in address(const char *text, std::uint16_t port) {
        sockaddr_in result{};
        result.sin_family = AF_INET;
        result.sin_port = htons(port);
        inet_pton(AF_INET, text, &result.sin_addr);
        return result;
    }
    static void bind_to(int fd, const char *text, std::uint16_t port) {
        sockaddr_in own = address(text, port);
        if (bind(fd, reinterpret_cast<sockaddr *>(&own), sizeof own) != 0)
            throw std::runtime_error(std::string("bind to ") + text);
    }

    int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

double nanoseconds_a_run(int program, const Bytes &frame) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame.data(),
                .data_size_in = static_cast<__u32>(frame.size()), .repeat = kRuns);
    double start = seconds_now();
    if (bpf_prog_test_run_opts(program, &options) != 0)
        throw std::runtime_error("run a program on a frame");
    return (seconds_now() - start) * 1e9 / kRuns;
}

} // namespace

nlohmann::json measure_verdicts(unsigned repeats) {
    Injector injector;
    Connection connection;
    // A program that is attached nowhere is entered into the kernel's XDP dispatcher for each batch.
    Installed yardstick = drop_everything(injector.drop_program(), "far");
    auto datapath = attach_xdp(filter::XdpMode::native);
    int program = bpf_prog_get_fd_by_id(attached_xdp_program());
    const auto all = situations();
    nlohmann::json result;
    for (unsigned repeat = 0; repeat < repeats; repeat++)
        for (const Situation &one : all) {
            become(one.node, *datapath);
            auto reason = datapath->judge(one.frame).reason;
            if (reason != one.reason.substr(0, one.reason.find(',')))
                throw std::logic_error(one.reason + " is judged as " + std::string(reason));
            Undisturbed undisturbed;
            for (unsigned batch = 0; batch < kBatches; batch++) {
                result["nothing"].push_back(nanoseconds_a_run(injector.drop_program(), one.frame));
                result[one.reason].push_back(nanoseconds_a_run(program, one.frame));
            }
        }
    close(program);
    return result;
}

} // namespace bench
