// SPDX-License-Identifier: Apache-2.0
#include "parts.hpp"

#include "filters.hpp"
#include "host.hpp"
#include "injector.hpp"

#include "filter/descriptor.hpp"
#include "filter/tc/tc.hpp"
#include "filter/xdp/xdp.hpp"

#include <functional>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>

using namespace packets;

namespace bench {

namespace {

constexpr double kSeconds = 0.1;
constexpr std::uint16_t kPort = 80;
constexpr filter::MacAddress kOwner = {0x02, 0, 0, 0, 1, 2};

// Takes what is let in and reads none of it: the stack's whole work, and no program's.
class Service {
  public:
    Service() {
        sockaddr_in any{};
        any.sin_family = AF_INET;
        any.sin_port = htons(kPort);
        if (!socket_ || bind(socket_.get(), reinterpret_cast<sockaddr *>(&any), sizeof any) != 0)
            throw std::runtime_error("bind the service");
    }

  private:
    filter::Descriptor socket_{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

Installed flooding(bool tc, const Size &size) {
    std::shared_ptr<filter::Datapath> datapath =
        tc ? filter::tc::attach("near", Host::pin_dir("bench"), settings(size))
           : filter::xdp::attach("near", filter::XdpMode::native, Host::pin_dir("bench"), settings(size));
    datapath->set_lease(kForever);
    datapath->install(tables(size));
    return datapath;
}

// What is not this node's goes on to one other.
Installed forwarding(filter::InFront in_front, const Size &size) {
    filter::Settings wish = settings(size);
    wish.forward = true;
    std::shared_ptr<filter::Datapath> datapath =
        filter::tc::attach("near", Host::pin_dir("bench"), wish, in_front);
    filter::Paths paths;
    paths.macs[2] = kOwner;
    datapath->set_lease(kForever);
    datapath->set_paths(paths);
    datapath->set_numbers(filter::Numbers(size.rules + 1, std::vector<std::uint8_t>(filter::kBuckets, 2)));
    datapath->install(tables(size));
    return datapath;
}

struct Delivery {
    std::string name;
    std::function<Installed(const Size &)> install;
    bool forwards;
};

std::vector<Delivery> deliveries() {
    using enum filter::InFront;
    return {{"flood, XDP", [](const Size &size) { return flooding(false, size); }, false},
            {"flood, tc", [](const Size &size) { return flooding(true, size); }, false},
            {"forward, XDP", [](const Size &size) { return forwarding(xdp, size); }, true},
            {"forward, tc", [](const Size &size) { return forwarding(nothing, size); }, true}};
}

Traffic traffic(bool to_own_mac) {
    Traffic all{ethernet(ipv4({}, udp({.port = kPort})),
                         {.destination = to_own_mac ? *filter::parse_mac(mac_of("near")) : kClusterMac}),
                Shape::ipv4, {}};
    for (std::uint32_t number = 0; number < 1 << 20; number++)
        all.sources.push_back(__builtin_bswap32(0x0b000001 + number));
    return all;
}

} // namespace

// Of n nodes that all receive, a node gets 1/n of the packets from clients, and as many others, less its own, from
// the other nodes: n in 2 n - 1 of what comes to it are its own.
nlohmann::json measure_capacity(unsigned repeats) {
    Injector injector;
    take_tags_off("near", false);
    const Service service;
    const Traffic flooded = traffic(false), forwarded = traffic(true);
    nlohmann::json result;
    for (unsigned repeat = 0; repeat < repeats; repeat++) {
        {
            const Installed yardstick = drop_everything(injector.drop_program(), "near");
            result["nothing"]["alone"].push_back(injector.rate(flooded, kSeconds));
        }
        const Installed sink = drop_everything(injector.drop_program(), "far");
        for (const Delivery &one : deliveries())
            for (const unsigned nodes : {2u, 4u, 8u}) {
                const std::string key = std::to_string(nodes);
                const auto measure = [&](const Size &size) {
                    const Installed installed = one.install(size);
                    return injector.rate(one.forwards ? forwarded : flooded, kSeconds);
                };
                result[one.name][key].push_back(measure({.nodes = nodes}));
                if (one.forwards)
                    result[one.name + ", all receive"][key].push_back(measure({.nodes = 2 * nodes - 1, .own = nodes}));
            }
    }
    return result;
}

} // namespace bench
