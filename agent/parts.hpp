// SPDX-License-Identifier: Apache-2.0
// The parts that a configuration, the command line and the host ask for, before they are an agent.
#pragma once

#include "agent/config/in_force.hpp"
#include "agent/control/local.hpp"
#include "agent/frames/multicast_router.hpp"
#include "agent/frames/witness.hpp"
#include "agent/health/health.hpp"
#include "agent/host/announcement.hpp"
#include "agent/host/run_dir.hpp"
#include "agent/host/setup.hpp"
#include "agent/node/node.hpp"
#include "agent/orders/electorate_file.hpp"
#include "agent/report/problems.hpp"
#include "filter/datapath.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agent {

struct AgentOptions {
    std::string config_file = "/etc/nlb/cluster.toml";
    std::optional<std::string> node;
    std::string run_dir = kDefaultRunDir;
    std::optional<std::string> state_dir; // default: /var/lib/nlb, or RUN_DIR/state elsewhere
    std::optional<std::string> user;      // to become; default: the user that starts it
    std::optional<log::Level> log_level;  // default: as configured
};

std::string state_dir(const AgentOptions &options);

// All of it, or one line that says where it is wrong. Throws.
InForce load(const AgentOptions &options);

// What keeps the rights that the agent gives up; before that. Throws.
std::shared_ptr<Monitor> start_monitor(const AgentOptions &options, const Config &config);

// Why the agent remains root, though it was to become another user; empty: it need not or does not.
// See become_user().
std::string give_up_root(const AgentOptions &options);

// steps_down: why it is not the one that was tried first. `auto`: native XDP where the driver has it and the
// interface is not a veth, otherwise tc, and pcap where neither can be loaded or attached; with delivery = "forward" tc,
// with native XDP in front of it by the same rule; but none while another nlbd's is attached.
// Throws std::runtime_error when no datapath can be attached; then only what a killed agent had left stays.
std::unique_ptr<filter::Datapath> attach_datapath(const Config &config, const NodeConfig &self,
                                                  RunDir &run_dir,
                                                  const filter::Settings &settings,
                                                  std::vector<filter::StepDown> &steps_down);

// Something had to be in the place of the best datapath, and could be cured: a problem, with its price.
void set_stepped_down(Problems &problems, const filter::Datapath &datapath,
                      const std::vector<filter::StepDown> &steps_down);

// The same while the agent runs, by Datapath::slowed(): it heals that by itself.
void set_slowed(Problems &problems, const filter::Datapath &datapath, const std::optional<std::string> &why);

// The MAC that ARP and neighbour discovery give clients for the virtual IPs; nothing: the node's own.
std::optional<filter::MacAddress> told_mac(const Config &config);

// interface: the clients', as at the agent's start.
// home: the device of the virtual IPs, as at the agent's start.
HostSettings host_settings(const Config &config, const std::string &interface, const std::string &home,
                           const filter::Datapath &datapath);
std::string home_of(const Config &config);
// Nothing: the configuration wants none, and none is there any more. Throws.
std::unique_ptr<Announcement> make_announcement(const Config &config);
Serving make_serving(const heartbeat::Settings &settings, const Config &config);
// file: outlives it. `serve`: nothing is kept. Throws.
ElectorateStore electorate_store(ElectorateFile &file, const Config &config);
heartbeat::Settings with_health(heartbeat::Settings settings, const Health &health);
// In the place of the former one. Nothing: the configuration wants none. Throws with none in place.
void make_witness(std::optional<Witness> &witness, const Config &config,
                  const std::string &interface);
bool has_ipv6(const Config &config); // among the virtual IPs
std::optional<MulticastRouter> make_multicast_router(const Config &config,
                                                     const std::string &interface);

} // namespace agent
