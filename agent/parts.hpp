// SPDX-License-Identifier: Apache-2.0
// The parts that a configuration, the command line and the host ask for, before they are an agent.
#pragma once

#include "agent/config/in_force.hpp"
#include "agent/control/local.hpp"
#include "agent/frames/multicast_router.hpp"
#include "agent/frames/witness.hpp"
#include "agent/health/health.hpp"
#include "agent/host/run_dir.hpp"
#include "agent/host/setup.hpp"
#include "agent/node/serving.hpp"
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
    std::optional<std::string> state_dir; // left out: /var/lib/nlb, or RUN_DIR/state elsewhere
    std::optional<std::string> user;      // to become; left out: whoever starts it
    std::optional<log::Level> log_level;  // left out: as the configuration says
};

std::string state_dir(const AgentOptions &options);

// All of it, or one line that says where it is wrong. Throws.
InForce load(const AgentOptions &options);

// Why the agent remains root, though it was to become another user; empty: it need not or does not.
// See become_user().
std::string give_up_root(const AgentOptions &options, const Config &config);

// steps_down: why it is not the one that was tried first. `auto`: native XDP where the driver
// has it and it is no veth, else tc, and pcap where neither can be loaded or attached; but none
// while another nlbd's is there. Throws std::runtime_error when none can be had; what is left then is what a killed agent
// had left.
std::unique_ptr<filter::Datapath> attach_datapath(const Config &config, const NodeConfig &self,
                                                  RunDir &run_dir,
                                                  const filter::Settings &settings,
                                                  std::vector<filter::StepDown> &steps_down);

// Something had to be in the place of the best datapath, and could be cured: a problem, with its price.
void set_stepped_down(Problems &problems, const filter::Datapath &datapath,
                      const std::vector<filter::StepDown> &steps_down);

// interface: the clients', as the agent has begun with it.
HostSettings host_settings(const Config &config, const std::string &interface,
                           const filter::Datapath &datapath);
Serving make_serving(const heartbeat::Settings &settings, const Config &config);
heartbeat::Settings with_health(heartbeat::Settings settings, const Health &health);
// In the place of the former one. Nothing: the configuration wants none. Throws with none in place.
void make_witness(std::optional<Witness> &witness, const Config &config,
                  const std::string &interface);
bool has_ipv6(const Config &config); // among the virtual IPs
std::optional<MulticastRouter> make_multicast_router(const Config &config,
                                                     const std::string &interface);

} // namespace agent
