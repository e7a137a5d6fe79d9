// SPDX-License-Identifier: Apache-2.0
#include "agent/parts.hpp"

#include "agent/config/trust.hpp"
#include "agent/host/privileges.hpp"
#include "agent/host/user.hpp"
#include "agent/monitor/monitor.hpp"
#include "agent/orders/settings.hpp"
#include "filter/bpf/datapath.hpp"
#include "filter/interface.hpp"
#include "filter/pcap/pcap.hpp"
#include "filter/tc/tc.hpp"
#include "filter/xdp/xdp.hpp"

#include <linux/capability.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

namespace agent {
namespace {

// On veth, what XDP sends arrives only where the other end runs an XDP program too: only when the configuration insists.
filter::InFront in_front(DatapathKind kind, const std::string &interface) {
    if (kind == DatapathKind::xdp_native) return filter::InFront::xdp;
    const bool possible = kind != DatapathKind::tc && filter::driver_of(interface) != "veth";
    return possible ? filter::InFront::xdp_where_possible : filter::InFront::nothing;
}

// The new one is in its place before what a killed agent has left of the other kind goes: in between
// the host would see everything.
std::unique_ptr<filter::Datapath> in_kernel(DatapathKind kind, const std::string &interface,
                                            RunDir &run_dir, const filter::Settings &settings,
                                            std::vector<filter::StepDown> &steps_down) {
    run_dir.mount_bpf();
    auto datapath = kind == DatapathKind::tc || settings.forward
                        ? filter::tc::attach(interface, run_dir.bpf(), settings, in_front(kind, interface), &steps_down)
                        : filter::xdp::attach(interface, xdp_mode(kind), run_dir.bpf(), settings,
                                              &steps_down);
    filter::pcap::remove(interface, run_dir.tables());
    if (!settings.forward) filter::tc::remove_lock(interface, run_dir.bpf());
    return datapath;
}

std::unique_ptr<filter::Datapath> pcap(const std::string &interface, RunDir &run_dir,
                                       const filter::Settings &settings) {
    run_dir.mount_tables();
    auto datapath = filter::pcap::attach(interface, run_dir.tables(), settings);
    filter::tc::remove_lock(interface, run_dir.bpf());
    filter::bpf::remove(interface, run_dir.bpf());
    return datapath;
}

std::string price(const filter::Datapath &datapath) {
    if (datapath.kind() == "pcap")
        return "packets are filtered by pcap instead of in the kernel, which carries a third of the requests";
    if (!datapath.sent().empty())
        return "packets are sent on by tc instead of native XDP, which would spare them the network stack";
    if (datapath.kind() == "tc")
        return "packets are filtered by tc instead of native XDP, which drops twice as many of other nodes";
    return "packets are filtered by generic XDP instead of native, which carries half of the packets";
}

// The kinds to try, in this order. Generic XDP is for configurations that name it: the kernel copies each packet that it
// has joined, or makes the sender split it. Native XDP on veth is little better.
std::vector<DatapathKind> candidates(DatapathKind kind, const std::string &interface, bool forward) {
    if (kind != DatapathKind::automatic) return {kind};
    if (forward) return {DatapathKind::xdp};
    if (filter::driver_of(interface) == "veth") return {DatapathKind::tc, DatapathKind::pcap};
    return {DatapathKind::xdp_native, DatapathKind::tc, DatapathKind::pcap};
}

std::unique_ptr<filter::Datapath> attach(DatapathKind kind, const std::string &interface,
                                         RunDir &run_dir, const filter::Settings &settings,
                                         std::vector<filter::StepDown> &steps_down) {
    if (kind == DatapathKind::pcap) {
        give_up(CAP_PERFMON); // before the packets' thread is started
        return pcap(interface, run_dir, settings);
    }
    auto datapath = in_kernel(kind, interface, run_dir, settings, steps_down);
    give_up(CAP_PERFMON); // an attacker that takes over the agent must not load programs that read the kernel
    return datapath;
}

bool is_lacking(const std::runtime_error &error) {
    return dynamic_cast<const filter::xdp::Lacking *>(&error) != nullptr;
}

} // namespace

std::unique_ptr<filter::Datapath> attach_datapath(const Config &config, const NodeConfig &self,
                                                  RunDir &run_dir,
                                                  const filter::Settings &settings,
                                                  std::vector<filter::StepDown> &steps_down) {
    const std::string interface = clients_interface(config, self);
    const auto tried = candidates(self.datapath.value_or(config.datapath), interface, settings.forward);
    std::string why; // why the kind tried before could not be attached
    for (std::size_t i = 0;; ++i) {
        try {
            return attach(tried[i], interface, run_dir, settings, steps_down);
        } catch (const filter::Occupied &) {
            throw;
        } catch (const std::runtime_error &error) {
            const std::string now = error.what();
            if (i + 1 == tried.size())
                throw std::runtime_error(why.empty() || why == now ? now
                                                                   : why + "; and instead of it: " + now);
            if (why != now) steps_down.push_back({now, is_lacking(error)});
            why = now;
        }
    }
}

void set_stepped_down(Problems &problems, const filter::Datapath &datapath,
                      const std::vector<filter::StepDown> &steps_down) {
    for (const filter::StepDown &step : steps_down)
        if (!step.lacking)
            problems.set(ProblemKind::datapath_stepped_down, price(datapath) + " (" + step.why + ")");
}

void set_slowed(Problems &problems, const filter::Datapath &datapath, const std::optional<std::string> &why) {
    problems.set(ProblemKind::datapath_stepped_down, why ? std::optional(price(datapath) + " (" + *why + ")") : std::nullopt,
                 "remove the cause; the agent tries again each second");
}

InForce load(const AgentOptions &options) {
    InForce in_force;
    require_trusted(options.config_file);
    in_force.config = load_config(options.config_file);
    in_force.self = find_self(in_force.config, options.node); // by name, or by the host's
    in_force.keys = load_keys(in_force.config.key_file);      // root's alone
    return in_force;
}

std::optional<filter::MacAddress> told_mac(const Config &config) {
    if (config.delivery == Delivery::forward) return std::nullopt;
    return cluster_mac(config);
}

std::string home_of(const Config &config) { return config.announce ? kAnnounceDevice : "lo"; }

std::unique_ptr<Announcement> make_announcement(const Config &config) {
    if (config.announce) return std::make_unique<Announcement>();
    Announcement::remove_left_over();
    return nullptr;
}

HostSettings host_settings(const Config &config, const std::string &interface, const std::string &home,
                           const filter::Datapath &datapath) {
    return {.interface = interface,
            .virtual_ips = config.virtual_ips,
            .cluster_mac = told_mac(config),
            .cluster_group = cluster_group(config),
            .home = home,
            .entrance = datapath.entrance()};
}

Serving make_serving(const heartbeat::Settings &settings, const Config &config) {
    return Serving(settings.self, settings.nodes, ownership_rules(config), ~settings.serve_all_down,
                   received(config));
}

void make_witness(std::optional<Witness> &witness, const Config &config,
                  const std::string &interface) {
    witness.reset();
    if (config.witness)
        witness.emplace(interface, *config.witness, config.virtual_ips, config.interval);
}

bool has_ipv6(const Config &config) {
    return !std::ranges::all_of(config.virtual_ips, &filter::IpAddress::is_v4);
}

// Bridges flood frames to a unicast MAC that they have not learned: no advertisement is needed.
std::optional<MulticastRouter> make_multicast_router(const Config &config,
                                                     const std::string &interface) {
    if (config.mac_mode == MacMode::unicast || config.delivery == Delivery::forward) return std::nullopt;
    return std::optional<MulticastRouter>(std::in_place, interface, has_ipv6(config));
}

std::string state_dir(const AgentOptions &options) {
    if (options.state_dir) return *options.state_dir;
    return options.run_dir == kDefaultRunDir ? "/var/lib/nlb" : options.run_dir + "/state";
}

std::shared_ptr<Monitor> start_monitor(const AgentOptions &options, const Config &config) {
    const auto account = options.user ? find_account(*options.user) : std::nullopt; // unknown: become_user() says so
    return std::make_shared<Monitor>(config, account ? account->user : geteuid());
}

std::string give_up_root(const AgentOptions &options) {
    if (!options.user) return "";
    return become_user(*options.user, {options.run_dir, state_dir(options)});
}

ElectorateStore electorate_store(ElectorateFile &file, const Config &config) {
    if (config.partition == Partition::quorum)
        return {file.load(), [&file](const heartbeat::Electorate &electorate) { file.keep(electorate); }};
    file.forget();
    return {};
}

heartbeat::Settings with_health(heartbeat::Settings settings, const Health &health) {
    settings.healthy = health.healthy();
    return settings;
}

} // namespace agent
