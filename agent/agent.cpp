// SPDX-License-Identifier: Apache-2.0
//
// The constructor is the table of contents of a start, the destructor its mirror. The filter comes
// before the addresses: a host that has the virtual IPs and no filter would answer everybody.
#include "agent/agent.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/log.hpp"
#include "agent/host/privileges.hpp"
#include "agent/host/realtime.hpp"
#include "agent/node/events.hpp"
#include "agent/orders/settings.hpp"
#include "agent/parts.hpp"
#include "agent/report/capture_source.hpp"
#include "agent/report/explain.hpp"
#include "agent/report/metrics.hpp"
#include "agent/report/status.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

constexpr Time kHealEvery = 1s;
constexpr unsigned kToLook = 8; // descriptors
constexpr Time kSpare = 30s; // for a leave, where a service manager waits for it
// As many datagrams as a socket's buffer can hold, and more: what came before this turn has been
// read when so many have been, and a flood cannot keep the agent from judging its time-outs.
constexpr int kDatagramsATurn = 8192;

HostWish host_wish(const Config &config, const NodeConfig &self, const filter::Datapath &datapath) {
    return {.interface = clients_interface(config, self),
            .silent_interfaces = heartbeat_interfaces(config, self),
            .virtual_ips = config.virtual_ips,
            .cluster_mac = cluster_mac(config),
            .cluster_group = cluster_group(config),
            .entrance = datapath.entrance()};
}

Serving make_serving(const heartbeat::Settings &settings, const Config &config) {
    return Serving(settings.self, settings.nodes, ownership_rules(config),
                   ~settings.serve_all_down);
}

std::optional<Witness> make_witness(const Config &config, const std::string &interface) {
    if (!config.witness) return std::nullopt;
    return std::optional<Witness>(std::in_place, interface, *config.witness, config.virtual_ips,
                                  config.interval);
}

// Frames to a unicast MAC that no bridge has learned go to all ports without a word.
std::optional<MulticastRouter> make_multicast_router(const Config &config,
                                                     const std::string &interface) {
    if (config.mac_mode == MacMode::unicast) return std::nullopt;
    const bool with_ipv6 = !std::ranges::all_of(config.virtual_ips, &filter::IpAddress::is_v4);
    return std::optional<MulticastRouter>(std::in_place, interface, with_ipv6);
}

std::string state_dir(const AgentOptions &options) {
    if (options.state_dir) return *options.state_dir;
    return options.run_dir == kDefaultRunDir ? "/var/lib/nlb" : options.run_dir + "/state";
}

std::string give_up_root(const AgentOptions &options, const Config &config) {
    if (!options.user) return "";
    return become_user(*options.user, runs_commands(config),
                       {options.run_dir, state_dir(options)});
}

heartbeat::Settings with_health(heartbeat::Settings settings, const Health &health) {
    settings.healthy = health.healthy();
    return settings;
}

void log_note(const heartbeat::Note &note) {
    using Kind = heartbeat::Note::Kind;
    const bool bad = note.kind == Kind::refused || note.kind == Kind::fenced ||
                     note.kind == Kind::merge ||
                     (note.kind == Kind::health && !note.text.ends_with(": healthy") &&
                      !note.text.ends_with(" again"));
    bad ? log::warn(note.text) : log::info(note.text);
}

std::optional<WebServer> make_web_server(const Config &config) {
    if (!config.metrics_listen) return std::nullopt;
    return std::optional<WebServer>(std::in_place, *config.metrics_listen);
}

} // namespace

Agent::Agent(const AgentOptions &options)
    : without_(ask_for_realtime()), // first, so that a successor is there within the lease
      config_(load_config(options.config_file)),     // all of it, or one line that says where
      self_(find_self(config_, options.node)),       // by name, or by the host's
      keys_(load_keys(config_.key_file)),            // root's alone
      stays_root_(give_up_root(options, config_)),   // all that follows needs less
      orders_file_(state_dir(options)),              //
      orders_(orders_file_.load()),                  // what outlived the last agent
      interface_(clients_interface(config_, self_)), //
      seen_(find_interface(interface_).value_or(HostInterface{})), //
      interface_index_(seen_.index), // 0: there is none, the filter will say so
      run_dir_(options.run_dir),     // with a bpffs, for this agent alone
      interface_lock_(HostLock::on_interface(interface_)), // one agent an interface
      web_(make_web_server(config_)),                      // before anything is changed
      datapath_(attach_datapath(config_, self_, run_dir_,
                                filter_settings(config_, keys_.in_use, orders_),
                                steps_down_)), // drops everything as yet
      host_(host_wish(config_, self_, *datapath_),
            run_dir_.host_record()), // virtual IPs, sysctls, cluster MAC
      neighbours_(interface_, config_.virtual_ips, cluster_mac(config_)), // silent as yet
      refusals_(interface_, *datapath_),
      multicast_router_(make_multicast_router(config_, interface_)),
      witness_(make_witness(config_, interface_)),
      transport_(heartbeat_interfaces(config_, self_), filter::to_string(config_.group),
                 config_.port),
      control_(run_dir_.path()),
      control_port_(heartbeat_interfaces(config_, self_), config_.control_port, keys_.in_use),
      health_(config_, make_health_checks(config_), interface_index_, *datapath_,
              boot_now()), // before the first beat
      node_(
          with_health(membership_settings(config_, self_, keys_, orders_), health_), boot_now(),
          make_serving(membership_settings(config_, self_, keys_), config_),
          beat_envelope(config_, keys_), *datapath_,
          [this](auto datagram) { transport_.send(datagram); }, log_note),
      census_(filter_settings(config_, keys_.in_use, orders_)),
      relay_(config_, self_, keys_.in_use, commands_, boot_now),
      administration_({config_, self_, node_, *datapath_, census_, draining_, boot_now},
                      orders_file_, orders_),
      reload_({config_, self_, keys_, node_, census_, administration_, health_, relay_,
               control_port_, boot_now}),
      service_manager_(boot_now()) {
    if (node_.resumed()) go_on_with_services();
    add_commands();
}

Agent::~Agent() {
    try {
        host_.restore();
    } catch (const std::exception &error) {
        log::error(std::string("host: not as it was before (") + error.what() + ")");
    }
}

void Agent::run() {
    for (const std::string &line : without_)
        log::info(line);
    if (!stays_root_.empty()) log::warn("agent: stays root (" + stays_root_ + ")");
    for (const filter::StepDown &step : steps_down_)
        log::warn("datapath: steps down (" + step.why + ")");
    set_stepped_down(problems_, *datapath_, steps_down_);
    log::info(std::string("agent: ") + (node_.resumed() ? "resumes" : "started") +
              " (cluster=" + config_.cluster_name + " node=" + self_.name +
              " interface=" + interface_ + " datapath=" + std::string(datapath_->kind()) +
              " mode=" + std::string(filter::to_string(datapath_->mode())) + ")");
    administration_.take_up();
    look_after_filter(); // or it takes no part
    begun_ = boot_now();
    while (!has_left()) {
        wait();
        drain_beats();
        consult_witness();
        node_.tick(boot_now());
        reload_.handle();
        look_after_services();
        count_connections();
        look_after_draining();
        showing_.expire(boot_now());
        neighbours_.set_answering(node_.answers(boot_now()));
        neighbours_.handle();
        refusals_.handle(boot_now());
        obey_signals();
        serve_commands();
        if (web_) web_->answer([this](Document which) { return document(which); });
        const bool link_changed = links_.drain();
        if (link_changed || boot_now() >= heal_at_) {
            heal_at_ = boot_now() + kHealEvery;
            look_after_all(link_changed);
            tell_reasons();
            tell_service_manager();
        }
        if (service_manager_.waits()) tell_service_manager();
        service_manager_.feed(boot_now());
    }
    if (!failure_.empty()) throw std::runtime_error(failure_);
    log::info("agent: ended (node=" + self_.name + ")");
}

// Sleeps until there is something to read or something is due.
void Agent::wait() {
    std::vector<pollfd> waiting;
    for (int fd : transport_.descriptors())
        waiting.push_back({fd, POLLIN, 0});
    for (int fd : {neighbours_.descriptor(), refusals_.descriptor(boot_now()), links_.descriptor(),
                   signals_.descriptor(), census_.descriptor(), orders_file_.descriptor(),
                   reload_.descriptor()})
        waiting.push_back({fd, POLLIN, 0});
    for (const pollfd &each : control_.descriptors())
        waiting.push_back(each);
    for (int fd : control_port_.descriptors())
        waiting.push_back({fd, POLLIN, 0});
    for (int fd : relay_.descriptors())
        waiting.push_back({fd, POLLIN, 0});
    for (const pollfd &each : health_.descriptors())
        waiting.push_back(each);
    if (witness_) waiting.push_back({witness_->descriptor(), POLLIN, 0});
    if (web_) waiting.push_back({web_->descriptor(), POLLIN, 0});
    Time until = std::min({node_.wake_at(), heal_at_, census_.wake_at(pace()), draining_.wake_at(),
                           relay_.wake_at(), health_.wake_at(), service_manager_.wake_at(),
                           refusals_.wake_at(boot_now())});
    if (leave_by_) until = std::min(until, *leave_by_);
    const Time left = control_waits_ ? Time{0} : std::max(Time{0}, until - boot_now());
    const timespec timeout{left / 1s, (left % 1s).count()};
    ppoll(waiting.data(), waiting.size(), &timeout, nullptr);
    if (const Time now = boot_now(); now >= until) lag_.add(now - std::max(until, begun_));
}

void Agent::drain_beats() {
    std::array<std::uint8_t, heartbeat::kMaxDatagram + 1>
        buffer; // one more, so that too long is seen
    for (int fd : transport_.descriptors())
        for (int count = 0; count < kDatagramsATurn; ++count) {
            const auto datagram = transport_.receive(fd, buffer);
            if (!datagram) break;
            const auto sender = node_.receive(boot_now(), std::span(buffer).first(datagram->size));
            if (sender) relay_.heard(*sender, datagram->from);
        }
}

// Whether a node that hears nobody could still be reached: the witness knows, or at least the link.
// Before time-outs are judged. The node's own beats wake the agent often enough to ask.
void Agent::consult_witness() {
    const Time now = boot_now();
    if (witness_)
        if (const auto asked = witness_->answered())
            node_.step(now, heartbeat::event::WitnessAnswered{*asked});
    if (!node_.asks_witness(now)) return;
    if (witness_)
        witness_->ask(now);
    else if (look_at_interface().running)
        node_.step(now, heartbeat::event::WitnessAnswered{now});
}

// Without a descriptor to ask the kernel with, what it said last.
const HostInterface &Agent::look_at_interface() {
    try {
        seen_ = find_interface(interface_).value_or(HostInterface{});
    } catch (const std::exception &error) {
        log::warn(std::string("interface: not looked at (") + error.what() + ")");
    }
    return seen_;
}

Pace Agent::pace() const {
    if (draining_.under_way()) return Pace::draining;
    return node_.lingering().any() ? Pace::lingering : Pace::idle;
}

// Without an answer of the kernel's, what lingers goes on lingering.
void Agent::count_connections() {
    const bool counted = counting_;
    try {
        if (!census_.handle(boot_now(), pace(), node_.serving().tables())) return;
        counting_ = true;
        node_.connections(boot_now(), census_.latest()->total(), census_.latest()->buckets);
        if (!counted) log::info("connections: counted again");
    } catch (const std::exception &error) {
        counting_ = false;
        if (counted) log::warn(std::string("connections: not counted (") + error.what() + ")");
    }
}

void Agent::look_after_draining() {
    const Time now = boot_now();
    if (!draining_.over(now, node_.serving().serves_nothing(), census_.latest())) return;
    const auto &latest = census_.latest();
    const std::string left = latest ? std::to_string(latest->total()) : "unknown";
    log::info("agent: drained (node=" + self_.name + " connections=" + left + ")");
    if (draining_.then() == Draining::Then::leave) return leave();
    administration_.drained();
}

void Agent::look_after_services() {
    const Time now = boot_now();
    auto texts = health_.handle(now);
    if (health_.holds(now)) health_.consider(now, node_.status(now).view, node_.self());
    node_.set_health(now, health_.healthy(), texts);
}

// A restart moves no bucket: what the predecessor served is healthy until a check says otherwise.
void Agent::go_on_with_services() {
    const heartbeat::View view = node_.status(boot_now()).view;
    if (const heartbeat::Member *self = view.find(node_.self())) health_.resume(self->eligible);
    node_.set_health(boot_now(), health_.healthy(), {});
}

void Agent::obey_signals() {
    while (const auto signal = signals_.next()) {
        if (*signal == Signal::vanish) {
            log::info("agent: ends and leaves everything in place (node=" + self_.name + ")");
            std::_Exit(0); // no destructor: links, tables and addresses wait for the successor
        }
        end();
    }
}

// Told to end: drains for a while. Whoever says it again does not want to wait for connections, and
// a third time for nothing at all.
void Agent::end() {
    administration_.set_ending();
    const bool again = draining_.under_way() && draining_.then() == Draining::Then::leave;
    if (leave_by_ || again || config_.drain == 0ms) return leave();
    const Time now = boot_now();
    draining_.begin(Draining::Then::leave, now + config_.drain);
    service_manager_.stopping(config_.drain + config_.dead_after + kSpare);
    log::info("agent: drains, then leaves (node=" + self_.name +
              " drain_ms=" + std::to_string(config_.drain.count()) + ")");
    const heartbeat::NodeState state = node_.status(now).state;
    if (state != heartbeat::NodeState::stopped && state != heartbeat::NodeState::suspended)
        node_.step(now, heartbeat::event::Drain{});
}

// The first time in an orderly way.
void Agent::leave() {
    const Time now = boot_now();
    const bool again = leave_by_.has_value();
    leave_by_ = again ? now : now + config_.dead_after + 1s;
    if (again) return;
    service_manager_.stopping(config_.dead_after + kSpare);
    administration_.set_ending();
    draining_.cancel();
    log::info("agent: leaves (node=" + self_.name + ")");
    node_.step(now, heartbeat::event::Leave{});
}

void Agent::tell_service_manager() {
    const Time now = boot_now();
    heartbeat::Status status = node_.status(now);
    if (const std::string why = problems_.why_not_serving(); !why.empty()) status.reason = why;
    service_manager_.report(now, status);
}

bool Agent::has_left() const {
    if (!leave_by_) return false;
    const Time now = boot_now();
    return now >= *leave_by_ || node_.gone(now);
}

void Agent::give_up(const std::string &why) {
    failure_ = why;
    if (!leave_by_) leave();
}

// The filter went with the interface: a new one of the same name must not get the virtual IPs
// without it.
void Agent::look_after_interface() {
    if (failure_.empty() && look_at_interface().index != interface_index_)
        give_up("serve on " + interface_ +
                ": the interface was removed; start nlbd again when it is back");
}

// Why something cannot be put back; empty: everything is in its place.
std::string Agent::heal_filter() {
    try {
        for (const std::string &line : datapath_->heal())
            log::warn("datapath: put back (" + line + ")");
        return "";
    } catch (const std::exception &error) {
        log::warn(std::string("datapath: not as it should be (") + error.what() + ")");
        return error.what();
    }
}

// A node whose filter does not show that it works serves nothing: the others are to have its buckets.
// A kernel that does not say leaves it as it was.
void Agent::look_after_filter() {
    if (!failure_.empty() || !filter::descriptors_left(kToLook)) return;
    const std::string obstacle = heal_filter();
    try {
        flaw_ = datapath_->flaw();
    } catch (const std::exception &error) {
        log::warn(std::string("datapath: not looked at (") + error.what() + ")");
    }
    problems_.set(ProblemKind::filter_not_proven, flaw_, obstacle);
    administration_.set_able(!flaw_);
}

void Agent::look_after_all(bool link_changed) {
    if (!filter::descriptors_left(kToLook))
        return log::warn("agent: no file descriptors are left, what needs one waits");
    look_after_bridges(link_changed);
    look_after_interface();
    look_after_filter();
    look_after_host();
}

void Agent::look_after_bridges(bool link_changed) {
    if (!multicast_router_ || !failure_.empty()) return;
    const bool advertised = advertising_;
    try {
        multicast_router_->advertise(boot_now(), link_changed);
        advertising_ = true;
    } catch (const std::exception &error) {
        advertising_ = false;
        if (advertised) log::warn(std::string("bridges: not told (") + error.what() + ")");
    }
    if (advertising_ && !advertised) log::info("bridges: told (interface=" + interface_ + ")");
}

void Agent::look_after_host() {
    if (!failure_.empty()) return;
    try {
        for (const std::string &line : host_.heal())
            log::warn("host: put back (" + line + ")");
        if (neighbours_.heal()) log::info("neighbours: listening (interface=" + interface_ + ")");
        if (witness_ && witness_->heal())
            log::info("witness: can be asked (interface=" + interface_ + ")");
    } catch (const std::exception &error) {
        log::warn(std::string("host: not as it should be (") + error.what() + ")");
    }
}

// What no administrator need hear of, such as other nodes' packets, is only counted.
std::vector<Counted> Agent::count_reasons() const {
    static constexpr std::array<std::string_view, 14> kPackets = {
        "no_owner",        "refused",      "ip_header",   "ip_length",  "too_many_headers",
        "header_too_deep", "truncated",    "tcp_header",  "udp_length", "icmp_quote",
        "unfiltered",      "capture_full", "capture_cut", "tap_refused"};
    using heartbeat::Refusal;
    static constexpr std::array kBeats = {
        Refusal::too_short, Refusal::too_long,  Refusal::foreign_protocol, Refusal::other_version,
        Refusal::bad_tag,   Refusal::malformed, Refusal::id_taken,         Refusal::unknown_node};
    static constexpr std::array<std::string_view, 5> kCallers = {
        "wrong_key", "cut_off", "not_zeromq", "not_expected", "held_off"};
    std::vector<Counted> counted;
    for (const filter::Counter &counter : datapath_->counters())
        if (std::ranges::count(kPackets, counter.reason))
            counted.push_back({"packets: dropped", std::string(counter.reason), counter.packets});
    for (const Refusal refusal : kBeats)
        counted.push_back({"beats: refused", std::string(to_string(refusal)),
                           node_.beats().refused[static_cast<std::size_t>(refusal)]});
    const Json callers = control_port_.counters();
    for (const std::string_view reason : kCallers)
        counted.push_back({"commands: caller refused", std::string(reason), callers[reason]});
    return counted;
}

void Agent::tell_reasons() {
    try {
        for (const std::string &line : reasons_log_.rose(boot_now(), count_reasons()))
            log::warn(line);
    } catch (const std::exception &error) {
        log::warn(std::string("agent: refusals not counted (") + error.what() + ")");
    }
    log::tick();
}

void Agent::serve_commands() {
    administration_.handle();
    control_.serve(commands_);
    control_waits_ = control_port_.serve(boot_now(), commands_);
}

// It never calls a node active whose filter is not in its place at this moment.
Json Agent::status_now() {
    look_after_filter();
    return status({config_, self_, interface_, node_, *datapath_, health_, neighbours_.counters(),
                   commands_, transport_.send_errors(), census_.latest(), witness_,
                   administration_.orders(), control_port_.counters(), problems_},
                  boot_now());
}

std::string Agent::document(Document which) {
    const Time now = boot_now();
    if (which == Document::metrics)
        return metrics({status_now(), node_.receptions(), node_.view_changes(), node_.events(),
                        lag_, node_.lease_until() - now, config_.interval, config_.dead_after,
                        node_.config()});
    const Json json = which == Document::status ? status_now() : events(node_.events(), now);
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void Agent::add_commands() {
    commands_.add("status", [this](const auto &) { return status_now(); });
    commands_.add("explain", [this](const auto &args) {
        return explain(args, config_, node_, *datapath_, boot_now());
    });
    commands_.add("capture", [this](const auto &args) {
        showing_.ask(args, boot_now());
        return capture_source(config_, interface_, node_, *datapath_, boot_now());
    });
    commands_.add("events", [this](const auto &) { return events(node_.events(), boot_now()); });
    administration_.add_to(commands_);
    reload_.add_to(commands_);
    commands_.set_elsewhere([this](const auto &node, const auto &command, const auto &args) {
        return relay_.ask(node, command, args);
    });
}

} // namespace agent
