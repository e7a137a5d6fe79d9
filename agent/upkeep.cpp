// SPDX-License-Identifier: Apache-2.0
#include "agent/upkeep.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/log.hpp"
#include "agent/parts.hpp"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

constexpr Time kEvery = 1s;
constexpr unsigned kToLook = 8; // descriptors

// Whether beats come in where clients do, and on another interface as well.
bool hears_apart(const std::vector<std::string> &interfaces, const std::string &clients) {
    return interfaces.size() > 1 && std::ranges::count(interfaces, clients) > 0;
}

} // namespace

Upkeep::Upkeep(Kept parts, const Interface &interface)
    : parts_(parts), seen_(interface), index_(interface.index),
      started_(started_with(parts.in_force.config, parts.in_force.self)),
      judges_paths_(hears_apart(started_.heartbeat_interfaces, parts.interface)),
      bridges_("bridges: not told", "bridges: told (interface=" + parts.interface + ")") {}

void Upkeep::wait(Poll &poll) const {
    links_.wait(poll);
    poll.at(next_);
}

bool Upkeep::handle(Time now) {
    const bool link_changed = links_.drain();
    if (!link_changed && now < next_) return false;
    next_ = now + kEvery;
    if (!filter::descriptors_left(kToLook))
        log::warn("agent: no file descriptors are left, what needs one waits");
    else if (failure_.empty())
        look_after_all(now, link_changed);
    return true;
}

void Upkeep::look_after_all(Time now, bool link_changed) {
    look_after_bridges(now, link_changed);
    look_after_interface();
    if (!failure_.empty()) return;
    look_at_ports();
    look_after_filter();
    look_after_sockets(now);
    look_at_reach(now);
    look_after_host();
    const std::vector<std::string> claims = parts_.neighbours.claims(now);
    set(ProblemKind::virtual_ip_claimed, !claims.empty(), listed(claims));
}

void Upkeep::look_after_bridges(Time now, bool link_changed) {
    if (!parts_.multicast_router) return;
    bridges_.attempt([&] {
        parts_.multicast_router->advertise(now, link_changed);
        return true;
    });
}

// Without a descriptor to ask the kernel with, what it said last.
const Interface &Upkeep::look_at_interface() {
    try {
        seen_ = find_interface(parts_.interface).value_or(Interface{});
    } catch (const std::exception &error) {
        log::warn(std::string("interface: not looked at (") + error.what() + ")");
    }
    return seen_;
}

// The filter went with the interface: a new one of the same name must not get the virtual IPs
// without it.
void Upkeep::look_after_interface() {
    if (look_at_interface().index != index_)
        failure_ = "serve on " + parts_.interface +
                   ": the interface was removed; start nlbd again when it is back";
}

// What a bridge or a bond takes from its port, the agent does not hear.
void Upkeep::look_at_ports() {
    std::vector<std::string> ports;
    try {
        for (const std::string &name : started_.heartbeat_interfaces) {
            const auto found = find_interface(name);
            const std::string master = found ? master_of(found->index) : "";
            if (!master.empty()) ports.push_back(name + " is a port of " + master);
        }
        ports_ = std::move(ports);
    } catch (const std::exception &error) {
        log::warn(std::string("beats: interfaces not looked at (") + error.what() + ")");
    }
}

// It takes two heartbeat interfaces to tell that one of them is dead.
Upkeep::Reach Upkeep::reach(Time now) {
    const Hearing &hearing = parts_.node.hearing();
    Reach reach;
    reach.linked = seen_.running;
    reach.obstacles = parts_.transport.obstacles();
    reach.ports = ports_;
    const bool has_peers = parts_.in_force.config.nodes.size() > 1;
    reach.mute = parts_.transport.mute() && has_peers;
    reach.deaf = has_peers && ports_.size() == started_.heartbeat_interfaces.size();
    if (!reach.linked || reach.mute || reach.deaf) listens_until_ = now + parts_.in_force.config.dead_after;
    reach.listens = now < listens_until_ && !hearing.hears_any(now);
    if (reach.linked && judges_paths_) reach.dead_path = hearing.dead_path(now);
    reach.lost_together = reach.linked && hearing.lost_together(now);
    return reach;
}

void Upkeep::look_at_reach(Time now) {
    if (!failure_.empty()) return;
    Reach next = reach(now);
    if (next == reach_) return;
    reach_ = std::move(next);
    set(ProblemKind::clients_link_lost, !reach_.linked,
        "no client is reached: " + parts_.interface + (seen_.up ? " has no link" : " is down"));
    set(ProblemKind::clients_path_dead, reach_.dead_path.has_value(),
        reach_.dead_path ? dead_path_text(*reach_.dead_path) : "");
    set(ProblemKind::beats_not_sent, reach_.mute, "no beats can be sent: " + listed(reach_.obstacles));
    set(ProblemKind::beats_not_heard, reach_.deaf, "no beats are heard: " + listed(reach_.ports));
    std::vector<std::string> lacking = reach_.mute ? std::vector<std::string>{} : reach_.obstacles;
    if (!reach_.deaf) std::ranges::copy(reach_.ports, std::back_inserter(lacking));
    set(ProblemKind::heartbeat_interface_unusable, !lacking.empty(),
        "some beats go astray: " + listed(lacking));
    set(ProblemKind::listening, reach_.listens && reach_.linked && !reach_.mute && !reach_.deaf,
        "it was cut off, and has not heard yet whether others serve");
    set(ProblemKind::peers_lost_together, reach_.lost_together,
        "all other nodes fell silent in the same moment, though " + parts_.interface +
            " has its link");
    judge();
}

void Upkeep::judge() { parts_.execution.set_able(parts_.problems.why_not_serving().empty()); }

void Upkeep::set(ProblemKind kind, bool present, const std::string &text) {
    parts_.problems.set(kind, present ? std::optional(text) : std::nullopt);
}

std::string Upkeep::dead_path_text(const Hearing::DeadPath &path) const {
    const auto name = [&](heartbeat::NodeId id) { return name_of(parts_.in_force.config, id); };
    return "no client is reached: on " + parts_.interface + ' ' +
           (path.deaf ? "this node hears no other" : "no other hears this node") + ", though " +
           name(path.listener) + " hears " + name(path.speaker) + " there";
}

// A kernel that does not say leaves it as it was.
void Upkeep::look_after_filter() {
    if (!failure_.empty() || !filter::descriptors_left(kToLook)) return;
    const std::string obstacle = heal_filter();
    try {
        flaw_ = parts_.datapath.flaw();
    } catch (const std::exception &error) {
        log::warn(std::string("datapath: not looked at (") + error.what() + ")");
    }
    parts_.problems.set(ProblemKind::filter_not_proven, flaw_, obstacle);
    judge();
}

// Why something cannot be put back; empty: everything is in its place.
std::string Upkeep::heal_filter() {
    try {
        for (const std::string &line : parts_.datapath.heal())
            log::warn("datapath: put back (" + line + ")");
        return "";
    } catch (const std::exception &error) {
        log::warn(std::string("datapath: not as it should be (") + error.what() + ")");
        return error.what();
    }
}

void Upkeep::look_after_sockets(Time now) {
    try {
        parts_.transport.look_after(now);
        parts_.control_port.look_after();
    } catch (const std::exception &error) {
        log::warn(std::string("beats: interfaces not looked at (") + error.what() + ")");
    }
    parts_.problems.set(ProblemKind::commands_not_heard, parts_.control_port.obstacle());
    look_after_web();
}

namespace {

std::vector<std::string> web_names(const Config &config) {
    std::vector<std::string> names = config.metrics_names;
    names.push_back(host_name());
    for (const NodeConfig &node : config.nodes)
        names.push_back(node.name);
    return names;
}

} // namespace

// Anybody on this host can take a port; that is to cost no more than what the port is for.
void Upkeep::look_after_web() {
    const auto &listen = parts_.in_force.config.metrics_listen;
    if (!listen || parts_.web) return;
    std::optional<std::string> obstacle;
    try {
        parts_.web.emplace(*listen, web_names(parts_.in_force.config));
    } catch (const std::exception &error) {
        obstacle = error.what();
    }
    parts_.problems.set(ProblemKind::metrics_not_served, obstacle);
}

void Upkeep::look_after_host() {
    const std::string where = " (interface=" + parts_.interface + ")";
    try {
        for (const std::string &line : parts_.host.heal())
            log::warn("host: put back (" + line + ")");
        if (parts_.neighbours.heal()) log::info("neighbours: listening" + where);
        look_after_witness();
    } catch (const std::exception &error) {
        log::warn(std::string("host: not as it should be (") + error.what() + ")");
    }
    look_at_host();
}

// Until the configured witness can be asked, a node that is alone does not serve.
void Upkeep::look_after_witness() {
    const bool lacks = parts_.in_force.config.witness && !parts_.witness;
    if (lacks) make_witness(parts_.witness, parts_.in_force.config, parts_.interface);
    if (lacks || (parts_.witness && parts_.witness->heal()))
        log::info("witness: can be asked (interface=" + parts_.interface + ")");
}

std::string Upkeep::obstacle_to(const Config &next) const {
    const auto self = std::ranges::find(next.nodes, parts_.in_force.self.id, &NodeConfig::id);
    if (parts_beats(started_, next, *self))
        return "heartbeat.interfaces: none of the new ones is one on which this node beats now, so nodes "
               "started anew would not hear it; name both, and when all nodes have been restarted the new "
               "ones alone";
    try {
        const auto found = parts_.host.obstacle_to(host_settings(next, parts_.interface, parts_.datapath));
        return found ? found->what + "; " + found->way_out : "";
    } catch (const std::exception &error) {
        return std::string("host: cannot be asked (") + error.what() + ")";
    }
}

std::vector<std::string> Upkeep::waits_for_restart() const {
    return agent::waits_for_restart(started_, parts_.in_force.config, parts_.in_force.self);
}

// The filter has the new virtual IPs by now.
void Upkeep::configure(const Config &former) {
    const Config &config = parts_.in_force.config;
    log::set_level(parts_.log_level.value_or(config.log_level));
    if (config.virtual_ips != former.virtual_ips) configure_host();
    if (config.witness != former.witness) parts_.witness.reset();
    if (parts_.witness) parts_.witness->set_virtual_ips(config.virtual_ips);
    if (config.metrics_listen != former.metrics_listen || config.metrics_names != former.metrics_names) {
        parts_.web.reset();
        parts_.problems.set(ProblemKind::metrics_not_served, std::nullopt);
        look_after_web();
    }
    const std::string waiting = listed(waits_for_restart());
    set(ProblemKind::restart_needed, !waiting.empty(),
        "this node still works with another value of: " + waiting);
    look_after_host();
}

// look_after_host() tries again whatever fails here.
void Upkeep::configure_host() {
    const Config &config = parts_.in_force.config;
    try {
        parts_.host.configure(host_settings(config, parts_.interface, parts_.datapath));
    } catch (const std::exception &error) {
        log::warn(std::string("host: not as it should be (") + error.what() + ")");
    }
    try {
        parts_.neighbours.configure(boot_now(), config.virtual_ips);
    } catch (const std::exception &error) {
        log::warn(std::string("neighbours: not listening yet (") + error.what() + ")");
    }
    if (parts_.multicast_router) parts_.multicast_router->set_with_ipv6(has_ipv6(config));
}

// Nothing that a start refuses comes about later unnoticed.
void Upkeep::look_at_host() {
    const auto tell = [&](ProblemKind kind, const std::optional<Obstacle> &found) {
        parts_.problems.set(kind, found ? std::optional(found->what) : std::nullopt,
                            found ? found->way_out : "");
    };
    try {
        tell(ProblemKind::host_unfit, parts_.host.obstacle());
        tell(ProblemKind::virtual_ip_elsewhere, parts_.host.misplaced());
    } catch (const std::exception &error) {
        log::warn(std::string("host: not looked at (") + error.what() + ")");
    }
    judge();
}

} // namespace agent
