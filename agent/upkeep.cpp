// SPDX-License-Identifier: Apache-2.0
#include "agent/upkeep.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/log.hpp"
#include "agent/orders/settings.hpp"
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
constexpr Time kPause = 200ms; // at least, however often interfaces of this host change
constexpr Time kLong = 3s;     // for a look
constexpr Time kMissedFor = 10s; // at least
constexpr unsigned kToLook = 8; // descriptors
constexpr auto kNotSeen = "for seconds the kernel has not answered what has become of addresses, interfaces and the filter";

// Whether beats come in where clients do, and on another interface as well.
bool hears_apart(const std::vector<std::string> &interfaces, const std::string &clients) {
    return interfaces.size() > 1 && std::ranges::count(interfaces, clients) > 0;
}

// What a bridge or a bond takes from its port, the agent does not hear.
std::vector<std::string> ports_among(const std::vector<std::string> &names) {
    std::vector<std::string> ports;
    for (const std::string &name : names) {
        const int index = filter::index_of(name);
        const std::string master = index != 0 ? master_of(index) : "";
        if (!master.empty()) ports.push_back(name + " is a port of " + master);
    }
    return ports;
}

} // namespace

Upkeep::Upkeep(Kept parts, const Interface &interface)
    : parts_(parts), seen_(interface), index_(interface.index),
      started_(started_with(parts.in_force.config, parts.in_force.self)),
      reach_(parts.in_force.config.dead_after, hears_apart(started_.heartbeat_interfaces, parts.interface)),
      bridges_("bridges: cannot advertise", "bridges: advertising again (interface=" + parts.interface + ")") {}

void Upkeep::wait(Poll &poll) const {
    links_.wait(poll);
    poll.read(look_.descriptor());
    if (!look_.busy() && failure_.empty()) poll.at(again_ ? begun_ + kPause : next_);
}

void Upkeep::begin(Time now) { look_after_all(now, look(now)()); }

bool Upkeep::handle(Time now) {
    if (links_.drain()) {
        again_ = true;
        const bool had_link = seen_.running;
        look_after_interface();
        if (!had_link && seen_.running) look_after_bridges(now, true);
        if (parts_.announcement) parts_.announcement->look(now);
    }
    const auto seen = look_.finished();
    set(ProblemKind::host_not_seen, look_.busy() && now - begun_ > kLong, kNotSeen);
    if (!failure_.empty()) return false;
    if (seen && !stale_) look_after_all(now, *seen);
    if (!look_.busy() && (now >= next_ || (again_ && now - begun_ >= kPause))) begin_look(now);
    return seen.has_value();
}

void Upkeep::begin_look(Time now) {
    next_ = now + kEvery;
    begun_ = now;
    again_ = stale_ = false;
    if (!filter::descriptors_left(kToLook))
        return log::warn("agent: out of file descriptors, postpones what needs one");
    try {
        look_.begin(look(now));
    } catch (const std::exception &error) {
        log::warn(std::string("host: cannot read its state (") + error.what() + ")");
    }
}

std::function<Look()> Upkeep::look(Time now) {
    const std::optional<Census> &census = parts_.census.latest();
    if (census && !census->some.empty()) clients_ = census->some;
    return [clients = clients_, wish = parts_.host.wish(), names = started_.heartbeat_interfaces, beats = parts_.transport.look(now),
            filter = parts_.datapath.look()] {
        return Look{Seen<filter::InPlace>(filter), Seen<heartbeat::Transport::Look>(beats),
                    Seen<std::vector<std::string>>([&] { return ports_among(names); }), Seen<HostSeen>(look_at_host),
                    Seen<std::optional<Obstacle>>([&] { return find_obstacle(wish); }),
                    Seen<std::optional<std::string>>([&] { return no_way_back(clients); })};
    };
}

void Upkeep::look_after_all(Time now, const Look &seen) {
    look_after_bridges(now, false);
    look_after_interface();
    if (!failure_.empty()) return;
    look_at_ports(seen);
    look_after_filter(seen);
    look_after_sockets(now, seen);
    look_at_reach(now);
    set(ProblemKind::not_listed, parts_.node.status(now).removed,
        "removed: the configuration in force does not list this node");
    const bool put_back = look_after_announcement(now);
    look_after_host(seen);
    if (put_back)
        again_ = true; // obstacles that the look has found no longer exist
    else
        look_for_obstacles(seen);
    const std::vector<std::string> claims = parts_.neighbours.claims(now);
    set(ProblemKind::virtual_ip_claimed, !claims.empty(), listed(claims));
    set(ProblemKind::monitor_ended, parts_.monitor.gone(),
        "the process that keeps root's rights has ended: no reload is possible, and no check of type exec is made");
}

void Upkeep::look_after_bridges(Time now, bool link_changed) {
    if (!parts_.multicast_router) return;
    bridges_.attempt([&] {
        parts_.multicast_router->advertise(now, link_changed);
        return true;
    });
}

// Without a free descriptor to ask the kernel, returns its last answer.
const Interface &Upkeep::look_at_interface() {
    try {
        seen_ = find_interface(parts_.interface).value_or(Interface{});
    } catch (const std::exception &error) {
        log::warn(std::string("interface: cannot read its state (") + error.what() + ")");
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

void Upkeep::look_at_ports(const Look &seen) {
    try {
        ports_ = seen.ports.get();
    } catch (const std::exception &error) {
        log::warn(std::string("beats: cannot read the interfaces (") + error.what() + ")");
    }
}

Upkeep::Surroundings Upkeep::look_around(Time now) {
    const Hearing &hearing = parts_.node.hearing();
    const bool has_peers = parts_.in_force.config.nodes.size() > 1;
    Surroundings around;
    around.interfaces = {.linked = seen_.running,
                         .mute = parts_.transport.mute() && has_peers,
                         .deaf = has_peers && ports_.size() == started_.heartbeat_interfaces.size()};
    reach_.set_dead_after(parts_.in_force.config.dead_after);
    reach_.look(now, around.interfaces, hearing);
    around.listens = reach_.listens();
    around.dead_path = reach_.dead_path();
    around.lost_together = around.interfaces.linked && hearing.lost_together(now);
    around.obstacles = parts_.transport.obstacles();
    around.ports = ports_;
    return around;
}

void Upkeep::look_at_reach(Time now) {
    if (!failure_.empty()) return;
    Surroundings next = look_around(now);
    if (next == around_) return;
    around_ = std::move(next);
    const auto [linked, mute, deaf] = around_.interfaces;
    set(ProblemKind::clients_link_lost, !linked,
        "no client is reached: " + parts_.interface + (seen_.up ? " has no link" : " is down"));
    set(ProblemKind::clients_path_dead, around_.dead_path.has_value(),
        around_.dead_path ? dead_path_text(*around_.dead_path) : "");
    set(ProblemKind::beats_not_sent, mute, "no beats can be sent: " + listed(around_.obstacles));
    set(ProblemKind::beats_not_heard, deaf, "no beats are heard: " + listed(around_.ports));
    std::vector<std::string> lacking = mute ? std::vector<std::string>{} : around_.obstacles;
    if (!deaf) std::ranges::copy(around_.ports, std::back_inserter(lacking));
    set(ProblemKind::heartbeat_interface_unusable, !lacking.empty(),
        "some heartbeat interfaces cannot be used: " + listed(lacking));
    set(ProblemKind::listening, around_.listens && linked && !mute && !deaf,
        "this node was cut off, and has not heard yet whether others serve");
    set(ProblemKind::peers_lost_together, around_.lost_together,
        "all other nodes fell silent in the same moment, though " + parts_.interface +
            " has its link");
    judge();
}

void Upkeep::look_for_missing(Time now) {
    const Config &config = parts_.in_force.config;
    const Time when = now - 2 * config.interval;
    const bool missing = std::ranges::any_of(config.nodes, [&](const NodeConfig &node) {
        return node.id != parts_.in_force.self.id && !parts_.node.hearing().heard_since(heartbeat::NodeId{node.id}, when);
    });
    if (missing) missed_until_ = now + kMissedFor;
    parts_.transport.listen_on_wire(now < missed_until_ || !parts_.transport.filtered().empty());
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
void Upkeep::look_after_filter(const Look &seen) {
    bool changed = false;
    const std::string obstacle = heal_filter(seen, changed);
    try {
        flaw_ = changed ? parts_.datapath.flaw() : parts_.datapath.flaw(seen.filter.get());
    } catch (const std::exception &error) {
        log::warn(std::string("datapath: cannot read its state (") + error.what() + ")");
    }
    if (const std::string_view what = parts_.node.put_right(); !what.empty())
        log::warn("datapath: put back (" + std::string(what) + " as this node serves)");
    parts_.problems.set(ProblemKind::filter_not_proven, flaw_, obstacle);
    look_for_slowness();
    judge();
}

// What was so at the start remains so.
void Upkeep::look_for_slowness() {
    const auto why = parts_.datapath.slowed();
    if (why || slowed_) set_slowed(parts_.problems, parts_.datapath, why);
    slowed_ = why.has_value();
}

// Why something cannot be put back; empty: everything is in its place.
std::string Upkeep::heal_filter(const Look &seen, bool &changed) {
    try {
        for (const std::string &line : parts_.datapath.heal(seen.filter.get())) {
            log::warn("datapath: put back (" + line + ")");
            changed = true;
        }
        return "";
    } catch (const std::exception &error) {
        log::warn(std::string("datapath: repair failed (") + error.what() + ")");
        return error.what();
    }
}

void Upkeep::look_after_sockets(Time now, const Look &seen) {
    try {
        parts_.transport.look_after(now, seen.beats.get());
        parts_.control_port.look_after();
    } catch (const std::exception &error) {
        log::warn(std::string("beats: cannot read the interfaces (") + error.what() + ")");
    }
    const auto &filtered = parts_.transport.filtered();
    set(ProblemKind::beats_filtered, !filtered.empty(),
        "beats reach " + listed(filtered) + " and are dropped before they reach the agent, which reads them from the wire");
    look_after_addresses();
    parts_.problems.set(ProblemKind::commands_not_heard, parts_.control_port.obstacle());
    look_after_web();
}

// Beats to addresses alone keep the cluster together; clients' frames that are flooded need more.
void Upkeep::look_after_addresses() {
    const heartbeat::Transport &beats = parts_.transport;
    set(ProblemKind::address_not_own, !beats.unheard().empty(),
        "beats to this node's address do not come in: " + listed(beats.unheard()));
    set(ProblemKind::address_not_reached, !beats.unreached().empty() && !beats.mute(),
        "no heartbeat interface has an address in the network of " + listed(beats.unreached()) +
            ", so no beats are sent there");
    const bool lacks_group = parts_.in_force.config.delivery == Delivery::flood &&
                             std::ranges::count(beats.without_group(), parts_.interface) > 0;
    set(ProblemKind::group_not_heard, lacks_group,
        "on " + parts_.interface + " beats come to this node's address, and none to their group: clients' frames may "
        "not be delivered to all nodes, either");
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

// Any process on this host can take the port; that must cost no more than the web server.
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

// Before the addresses: they are on its device.
bool Upkeep::look_after_announcement(Time now) {
    if (!parts_.announcement) return false;
    std::optional<std::string> obstacle;
    std::string made;
    try {
        if (made = parts_.announcement->heal(); !made.empty())
            log::warn("announcement: put back (" + made + ")");
        parts_.announcement->look(now);
    } catch (const std::exception &error) {
        obstacle = std::string("no router hears of this node: ") + error.what();
    }
    parts_.problems.set(ProblemKind::not_announced, obstacle);
    return !made.empty();
}

void Upkeep::look_after_host(const Look &seen) {
    const std::string where = " (interface=" + parts_.interface + ")";
    try {
        for (const std::string &line : parts_.host.heal(seen.host.get()))
            log::warn("host: put back (" + line + ")");
        if (parts_.neighbours.heal()) log::info("neighbours: listening" + where);
        look_after_witness();
        if (parts_.witness) parts_.witness->set_own(own_addresses(seen.host.get(), index_));
    } catch (const std::exception &error) {
        log::warn(std::string("host: repair failed (") + error.what() + ")");
    }
}

// Until the configured witness can be asked, a node that is alone does not serve.
void Upkeep::look_after_witness() {
    const bool lacks = parts_.in_force.config.witness && !parts_.witness;
    if (lacks) make_witness(parts_.witness, parts_.in_force.config, parts_.interface);
    if (lacks || (parts_.witness && parts_.witness->heal()))
        log::info("witness: its interface is back (interface=" + parts_.interface + ")");
}

std::string Upkeep::obstacle_to(const Config &next) const {
    const auto self = std::ranges::find(next.nodes, parts_.in_force.self.id, &NodeConfig::id);
    if (self == next.nodes.end()) return ""; // it never comes into force here
    if (parts_beats(started_, next, *self))
        return "heartbeat.interfaces: none of the new ones is one on which this node beats now, so nodes "
               "started anew would not hear it; name both, and when all nodes have been restarted the new "
               "ones alone";
    try {
        const auto found = parts_.host.obstacle_to(
            host_settings(next, parts_.interface, parts_.host.wish().home, parts_.datapath));
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
    parts_.transport.set_addresses(beat_addresses(config, parts_.in_force.self), boot_now());
    if (config.witness != former.witness) parts_.witness.reset();
    if (parts_.witness) parts_.witness->set_virtual_ips(config.virtual_ips);
    if (config.metrics_listen != former.metrics_listen || web_names(config) != web_names(former)) {
        parts_.web.reset();
        parts_.problems.set(ProblemKind::metrics_not_served, std::nullopt);
        look_after_web();
    }
    const std::string waiting = listed(waits_for_restart());
    set(ProblemKind::restart_needed, !waiting.empty(),
        "this node still works with another value of: " + waiting);
    again_ = stale_ = true;
}

// The next look_after_host() tries again whatever fails here.
void Upkeep::configure_host() {
    const Config &config = parts_.in_force.config;
    try {
        parts_.host.configure(
            host_settings(config, parts_.interface, parts_.host.wish().home, parts_.datapath));
    } catch (const std::exception &error) {
        log::warn(std::string("host: repair failed (") + error.what() + ")");
    }
    try {
        parts_.neighbours.configure(boot_now(), config.virtual_ips);
    } catch (const std::exception &error) {
        log::warn(std::string("neighbours: not listening yet (") + error.what() + ")");
    }
    if (parts_.multicast_router) parts_.multicast_router->set_with_ipv6(has_ipv6(config));
}

// Nothing that a start refuses comes about later unnoticed.
void Upkeep::look_for_obstacles(const Look &seen) {
    const auto tell = [&](ProblemKind kind, const std::optional<Obstacle> &found) {
        parts_.problems.set(kind, found ? std::optional(found->what) : std::nullopt,
                            found ? found->way_out : "");
    };
    try {
        tell(ProblemKind::host_unfit, seen.obstacle.get());
        tell(ProblemKind::virtual_ip_elsewhere, parts_.host.misplaced());
        parts_.problems.set(ProblemKind::no_way_back, seen.no_way_back.get());
    } catch (const std::exception &error) {
        log::warn(std::string("host: cannot read its state (") + error.what() + ")");
    }
    judge();
}

} // namespace agent
