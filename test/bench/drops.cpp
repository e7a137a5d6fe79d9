// SPDX-License-Identifier: Apache-2.0
#include "parts.hpp"

#include "filters.hpp"
#include "host.hpp"
#include "injector.hpp"

#include <cstring>

using namespace packets;

namespace bench {

namespace {

constexpr double kSeconds = 0.05;
constexpr double kFlood = 2e6, kFloodSeconds = 0.2; // more than any thread can judge

struct Situation {
    std::string name;
    Bytes frame;
    Shape shape = Shape::ipv4;
    Size size = {};
    std::size_t sources = 1 << 20;
    bool everybody = false; // also those that are there for comparison
};

std::vector<Situation> situations() {
    auto frame4 = [](const Segment &segment, const Ethernet &fields = {}) {
        return ethernet(ipv4({}, segment), fields);
    };
    Segment syn = tcp({}), ack = tcp({.flags = kAck}), datagram = udp({.port = 80});
    return {
        {.name = "TCP SYN", .frame = frame4(syn), .everybody = true},
        {.name = "TCP ACK", .frame = frame4(ack), .everybody = true},
        {.name = "UDP", .frame = frame4(datagram), .everybody = true},
        {.name = "TCP SYN, IPv6", .frame = ethernet(ipv6({}, syn)), .shape = Shape::ipv6, .everybody = true},
        {.name = "UDP, IPv6", .frame = ethernet(ipv6({}, datagram)), .shape = Shape::ipv6},
        {.name = "TCP SYN, VLAN tag", .frame = frame4(syn, {.tags = {0x8100}}), .shape = Shape::ipv4_tagged},
        {.name = "TCP SYN, 32 rules", .frame = frame4(syn), .size = {.rules = 32}},
        {.name = "TCP SYN, 32 nodes", .frame = frame4(syn), .size = {.nodes = 32}},
        {.name = "TCP SYN, one source", .frame = frame4(syn), .sources = 1},
    };
}

// Sources that another node serves, as the frame holds them.
std::vector<std::uint32_t> foreign_sources(const Situation &one) {
    bool v4 = one.shape != Shape::ipv6;
    filter::IpAddress address = *filter::parse_ip(v4 ? "198.18.0.0" : "fd01::");
    std::vector<std::uint32_t> result;
    for (std::uint32_t number = 1; result.size() < one.sources; number++) {
        std::uint32_t bytes = __builtin_bswap32(v4 ? 0x0b000000 + number : number * 2654435761u);
        std::memcpy(address.bytes.data() + (v4 ? 0 : 12), &bytes, 4);
        if (is_foreign(one.size, address)) result.push_back(bytes);
    }
    return result;
}

bool takes_part(const Situation &situation, const Contender &contender) {
    if (contender.name.starts_with("iptables") && situation.shape == Shape::ipv6) return false;
    return situation.everybody || contender.name.starts_with("XDP_DROP") ||
           contender.name.starts_with("nlbd");
}

// The sender has a processor for itself, and so has the thread that judges: how many does it judge
// a second, while it is given more than that?
double judged_by_pcap(Injector &injector, const Situation &one, const Traffic &traffic) {
    std::unique_ptr<filter::Datapath> datapath;
    {
        const OnOtherProcessors here; // and so the thread that is made there
        datapath = attach_pcap(one.size);
    }
    const double start = seconds_now();
    injector.flood(traffic, kFlood, kFloodSeconds);
    const double took = seconds_now() - start;
    return double(counter(*datapath, "foreign")) / took;
}

} // namespace

nlohmann::json measure_drops(unsigned repeats) {
    Injector injector;
    std::vector<Situation> all = situations();
    std::vector<Traffic> traffic;
    for (const Situation &one : all)
        traffic.push_back({one.frame, one.shape, foreign_sources(one)});
    nlohmann::json result;
    for (unsigned repeat = 0; repeat < repeats; repeat++)
        for (std::size_t i = 0; i < all.size(); i++) {
            for (const Contender &contender : contenders(injector.drop_program())) {
                if (!takes_part(all[i], contender)) continue;
                Installed installed = contender.install(all[i].size);
                result[all[i].name][contender.name].push_back(injector.rate(traffic[i], kSeconds));
            }
            result[all[i].name]["nlbd, pcap"].push_back(
                judged_by_pcap(injector, all[i], traffic[i]));
        }
    return result;
}

} // namespace bench
