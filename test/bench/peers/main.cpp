// SPDX-License-Identifier: Apache-2.0
//
// The other nodes of a large cluster in one process, so that one agent can be measured alone: their beats are real, each
// sealed by a node that takes part in the protocol, and behind their filters is nothing. To each other they speak without
// the network.
//
//     nlb_peers CONFIG KEY-FILE INTERFACE MEASURED      all nodes of the configuration but the one of this number
#include "agent/base/clock.hpp"
#include "agent/base/poll.hpp"
#include "agent/config/config.hpp"
#include "agent/config/key.hpp"
#include "agent/node/node.hpp"
#include "agent/orders/settings.hpp"
#include "agent/parts.hpp"

#include "fakes.hpp"

#include <array>
#include <cstdio>
#include <deque>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace {

using agent::boot_now;

class Peers {
  public:
    Peers(const agent::Config &config, const agent::ClusterKeys &keys, const std::string &interface, unsigned measured)
        : transport_({interface}, agent::beat_sockets(config, keys), {}, boot_now()) {
        for (const agent::NodeConfig &node : config.nodes) {
            if (node.id == measured) continue;
            const heartbeat::Settings settings = agent::membership_settings(config, node, keys);
            datapaths_.push_back(std::make_unique<agent_test::FakeDatapath>());
            nodes_.push_back(std::make_unique<agent::Node>(
                settings, boot_now(), agent::make_serving(settings, config), agent::beat_envelope(config, keys),
                *datapaths_.back(), [this](auto datagram, bool urgent) { send(datagram, urgent); }, [](const heartbeat::Note &) {}));
        }
    }

    void turn() {
        agent::Poll poll(boot_now());
        for (const int descriptor : transport_.descriptors())
            poll.read(descriptor);
        for (const auto &node : nodes_)
            node->wait(poll);
        poll.sleep();
        receive();
        for (const auto &node : nodes_)
            node->tick(boot_now());
        hear_each_other();
    }

  private:
    void send(std::span<const std::uint8_t> datagram, bool urgent) {
        transport_.send(datagram, urgent);
        said_.emplace_back(datagram.begin(), datagram.end());
    }

    void receive() {
        std::array<std::uint8_t, heartbeat::kMaxDatagram + 1> buffer;
        for (const int descriptor : transport_.descriptors())
            while (const auto datagram = transport_.receive(descriptor, buffer))
                for (const auto &node : nodes_)
                    node->receive(boot_now(), std::span(buffer).first(datagram->size), true);
    }

    void hear_each_other() {
        for (; !said_.empty(); said_.pop_front())
            for (const auto &node : nodes_)
                node->receive(boot_now(), said_.front(), true);
    }

    heartbeat::Transport transport_;
    std::vector<std::unique_ptr<agent_test::FakeDatapath>> datapaths_;
    std::vector<std::unique_ptr<agent::Node>> nodes_;
    std::deque<std::vector<std::uint8_t>> said_;
};

} // namespace

int main(int argc, char **argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: nlb_peers CONFIG KEY-FILE INTERFACE MEASURED\n");
        return 2;
    }
    try {
        const agent::Config config = agent::load_config(argv[1]);
        Peers peers(config, agent::load_keys(argv[2]), argv[3], static_cast<unsigned>(std::stoul(argv[4])));
        for (;;)
            peers.turn();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "nlb_peers: %s\n", error.what());
        return 1;
    }
}
