// SPDX-License-Identifier: Apache-2.0
//
// The constructor is the table of contents of a start, the destructor its mirror. The filter comes
// before the addresses: a host that has the virtual IPs and no filter would answer every client.
#include "agent/agent.hpp"

#include "agent/base/clock.hpp"
#include "agent/base/log.hpp"
#include "agent/host/realtime.hpp"
#include "agent/orders/settings.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <thread>

namespace agent {
namespace {

using heartbeat::Time;

// As many datagrams as a socket's buffer can hold, and more: what came before this turn has been
// read when so many have been, and a flood cannot keep the agent from judging its time-outs.
constexpr int kDatagramsATurn = 8192;

void log_note(const heartbeat::Note &note) {
    using Kind = heartbeat::Note::Kind;
    const bool bad = note.kind == Kind::refused || note.kind == Kind::fenced ||
                     note.kind == Kind::merge ||
                     (note.kind == Kind::health && !note.text.ends_with(": healthy") &&
                      !note.text.ends_with(" again"));
    bad ? log::warn(note.text) : log::info(note.text);
}

bool is_listed(const Config &config, heartbeat::NodeId id) {
    return std::ranges::count(config.nodes, heartbeat::index(id), &NodeConfig::id) > 0;
}

} // namespace

Agent::Agent(const AgentOptions &options)
    : log_level_(options.log_level), signals_({SIGTERM, SIGINT, SIGUSR2, SIGHUP}, Signals::InTheEnd::still_blocked),
      without_(ask_for_realtime()), // first, so that a successor is there within the lease
      in_force_(load(options)),     // all of it, or one line that says where
      monitor_(start_monitor(options, config())),      // while it is root
      stays_root_(give_up_root(options)),              // all that follows needs less
      orders_file_(state_dir(options)),                //
      electorate_file_(state_dir(options), config().cluster_name), //
      orders_(orders_file_.load()),                    // what outlived the last agent
      interface_(clients_interface(config(), self())), //
      seen_(find_interface(interface_).value_or(Interface{})), // index 0: none, the filter will say so
      run_dir_(options.run_dir), // with a bpffs, for this agent alone
      interface_lock_(HostLock::on_interface(interface_)), // one agent an interface
      datapath_(attach_datapath(config(), self(), run_dir_,
                                filter_settings(config(), keys().in_use, orders_),
                                steps_down_)), // drops everything until the first view
      announcement_(make_announcement(config())), // the device, not announced to routers yet
      host_(host_settings(config(), interface_, home_of(config()), *datapath_),
            run_dir_.host_record()), // virtual IPs, sysctls, cluster MAC
      neighbours_(interface_, config().virtual_ips, told_mac(config()), datapath_.get()), // silent at first
      rejects_(interface_, *datapath_),
      multicast_router_(make_multicast_router(config(), interface_)),
      transport_(heartbeat_interfaces(config(), self()),
                 beat_sockets(config(), keys()), beat_addresses(config(), self()), boot_now()),
      control_(run_dir_.path()),
      control_port_(heartbeat_interfaces(config(), self()), config().control_port, keys().in_use),
      health_(config(), make_health_checks(config(), monitor_), seen_.index, *datapath_,
              boot_now()), // before the first beat
      node_(
          with_health(membership_settings(config(), self(), keys(), orders_), health_), boot_now(),
          make_serving(membership_settings(config(), self(), keys()), config()),
          beat_envelope(config(), keys()), *datapath_,
          [this](auto datagram, bool urgent) { transport_.send(datagram, urgent); }, log_note,
          electorate_store(electorate_file_, config())),
      census_(filter_settings(config(), keys().in_use, orders_)),
      relay_(in_force_, commands_, boot_now), service_manager_(boot_now()),
      execution_({in_force_, node_, *datapath_, census_, draining_, boot_now}, orders_file_, orders_),
      reload_({in_force_, node_, census_, execution_, health_, relay_, control_port_, monitor_, boot_now,
               [this](const Config &next) { return upkeep_.obstacle_to(next); },
               [this](const Config &next) { host_.withdraw(next.virtual_ips); },
               [this](const Config &former) { upkeep_.configure(former); },
               [this] { return upkeep_.waits_for_restart(); }}),
      push_({in_force_, execution_, reload_, state_dir(options),
             [monitor = monitor_](const std::string &file) { return monitor->open(file); }, boot_now}),
      queries_({in_force_, interface_, node_, *datapath_, health_, neighbours_, witness_,
                transport_, census_, commands_, control_port_, execution_, problems_, announcement_, lag_}),
      examination_({in_force_, interface_, node_, *datapath_, problems_, boot_now}),
      upkeep_({in_force_, interface_, *datapath_, host_, neighbours_, multicast_router_, witness_,
               transport_, control_port_, *monitor_, web_, announcement_, node_, census_, execution_, problems_, log_level_},
              seen_),
      departure_({signals_, in_force_, node_, census_, draining_, execution_, service_manager_}) {
    node_.set_mac(seen_.mac);
    make_witness(witness_, config(), interface_);
    if (node_.resumed()) resume_services();
    queries_.add_to(commands_);
    examination_.add_to(commands_);
    execution_.add_to(commands_);
    reload_.add_to(commands_);
    push_.add_to(commands_);
    commands_.set_elsewhere([this](const auto &node, const auto &command, const auto &args, const auto &by) {
        return relay_.ask(node, command, args, by);
    });
}

Agent::~Agent() {
    try {
        host_.restore();
    } catch (const std::exception &error) {
        log::error(std::string("host: restoring it failed (") + error.what() + ")");
    }
}

void Agent::run() {
    log::open(log_level_.value_or(config().log_level));
    log_start();
    set_stepped_down(problems_, *datapath_, steps_down_);
    problems_.set(ProblemKind::interface_not_locked, interface_lock_.obstacle());
    execution_.restore();
    upkeep_.begin(boot_now()); // without its filter it takes no part
    begun_ = boot_now();
    while (!departure_.over(boot_now())) {
        wait();
        hear();
        node_.tick(boot_now());
        if (nothing_else()) continue;
        decide();
        answer();
        keep_up();
    }
    if (!departure_.failure().empty()) throw std::runtime_error(departure_.failure());
    log::info("agent: ended (node=" + self().name + ")");
}

void Agent::log_start() const {
    for (const std::string &line : without_)
        log::info(line);
    if (!stays_root_.empty()) log::warn("agent: stays root (" + stays_root_ + ")");
    for (const filter::StepDown &step : steps_down_)
        log::warn("datapath: steps down (" + step.why + ")");
    std::string line = node_.resumed() ? "agent: resumes" : "agent: started";
    line += " (cluster=" + config().cluster_name + " node=" + self().name;
    line += " interface=" + interface_;
    line += " datapath=";
    line += datapath_->kind();
    line += " mode=";
    line += filter::to_string(datapath_->mode());
    log::info(line + ")");
}

// Sleeps until there is something to read or something is due.
void Agent::wait() {
    std::this_thread::sleep_for(turns_.take(boot_now()));
    Poll poll(boot_now());
    const bool rests = poll.now() < rests_until_;
    for (const int fd : transport_.descriptors())
        if (!rests || !transport_.can_rest(fd)) poll.read(fd);
    poll.ask(node_, neighbours_, rejects_, draining_, orders_file_, electorate_file_, reload_, push_, control_,
             control_port_, relay_, health_, service_manager_, upkeep_, departure_, examination_);
    census_.wait(poll, pace());
    if (witness_) witness_->wait(poll);
    if (web_) web_->wait(poll);
    const Time until = poll.until();
    if (rests) poll.at(rests_until_);
    if (!control_waits_) poll.sleep();
    const Time now = boot_now();
    only_beats_ = now < until && !control_waits_ && poll.only(transport_.descriptors());
    if (now >= until) lag_.add(now - std::max(until, begun_));
}

// Most turns of a large cluster's node: beats came that change nothing, and nothing is due. Every interval there is a
// whole turn, as the node's own beat is.
bool Agent::nothing_else() const { return only_beats_ && node_.changes() == changes_; }

// Beats and the witness's answer come first: time-outs are judged by what has been read.
void Agent::hear() {
    std::array<std::uint8_t, heartbeat::kMaxDatagram + 1>
        buffer; // one more, so that too long is seen
    transport_.count_drops();
    upkeep_.look_for_missing(boot_now());
    for (const int fd : transport_.descriptors()) {
        const bool can_rest = transport_.can_rest(fd);
        const bool at_clients = transport_.interface_of(fd) == interface_ && shows_way_of_clients(fd);
        for (int count = 0; count < kDatagramsATurn; ++count) {
            const auto datagram = transport_.receive(fd, buffer);
            if (!datagram) break;
            const auto sender = node_.receive(
                boot_now(), std::span(buffer).first(datagram->size), at_clients);
            if (can_rest) rests_until_ = boot_now() + node_.rest();
            if (!sender) continue;
            relay_.heard(*sender, datagram->from);
            transport_.believed(fd, node_.came_early(*sender));
            if (!is_listed(config(), *sender)) transport_.answer(datagram->from, boot_now());
        }
    }
    consult_witness();
}

void Agent::decide() {
    changes_ = node_.changes();
    upkeep_.look_at_reach(boot_now());
    reload_.handle();
    look_after_services();
    look_after_electorate();
    count_connections();
    departure_.look_after_draining();
}

void Agent::answer() {
    queries_.handle(boot_now());
    examination_.handle(boot_now());
    neighbours_.set_answering(node_.answers(boot_now()), node_.views_served());
    if (!told_mac(config())) neighbours_.set_nodes(node_.forwarding().macs());
    neighbours_.handle(boot_now());
    rejects_.handle(boot_now());
    departure_.obey_signals();
    execution_.handle();
    control_.serve(commands_);
    control_waits_ = control_port_.serve(boot_now(), commands_);
    if (web_) web_->answer([this](Document which) { return queries_.document(which); });
}

void Agent::keep_up() {
    const bool looked = upkeep_.handle(boot_now());
    node_.set_mac(upkeep_.mac());
    if (announcement_) announcement_->set_until(node_.receives_until(config().interval));
    if (!upkeep_.failure().empty()) departure_.leave_because(upkeep_.failure());
    const Time now = boot_now();
    if (looked) queries_.tell_reasons(now);
    if (looked || service_manager_.waits()) service_manager_.report(now, queries_.summary(now));
    service_manager_.feed(now);
}

// Where clients' frames are flooded, a beat to an address shows nothing: they take the way of those to a group.
bool Agent::shows_way_of_clients(int beats) { return config().delivery == Delivery::forward || transport_.is_group(beats); }

// Whether a node that hears no other node could still be reached: the witness knows, or at least the link.
// Call before time-outs are judged. The node's own beats wake the agent often enough to ask.
void Agent::consult_witness() {
    const Time now = boot_now();
    if (witness_)
        if (const auto asked = witness_->answered())
            node_.step(now, heartbeat::event::WitnessAnswered{*asked});
    if (!node_.asks_witness(now)) return;
    if (witness_)
        witness_->ask(now);
    else if (!config().witness && upkeep_.look_at_interface().running)
        node_.step(now, heartbeat::event::WitnessAnswered{now});
}

Pace Agent::pace() const {
    if (draining_.under_way()) return Pace::draining;
    return node_.lingering().any() ? Pace::lingering : Pace::idle;
}

// Without an answer of the kernel's, what lingers goes on lingering.
void Agent::count_connections() {
    counting_.attempt([this] {
        if (!census_.handle(boot_now(), pace(), node_.serving().tables())) return false;
        node_.connections(boot_now(), census_.latest()->total(), census_.latest()->buckets);
        return true;
    });
}

void Agent::look_after_electorate() {
    if (const auto kept = electorate_file_.handle(boot_now())) node_.step(boot_now(), heartbeat::event::Kept{*kept});
    const std::string &failure = electorate_file_.failure();
    problems_.set(ProblemKind::electorate_not_kept,
                  failure.empty() ? std::nullopt : std::optional("the nodes whose majority decides cannot be kept (" + failure + ")"));
}

void Agent::look_after_services() {
    const Time now = boot_now();
    auto texts = health_.handle(now);
    if (health_.holds(now)) health_.consider(now, node_.status(now).view, node_.self());
    node_.set_health(now, health_.healthy(), texts);
}

// A restart moves no bucket: services of the predecessor count as healthy until a check says otherwise.
void Agent::resume_services() {
    const heartbeat::View view = node_.status(boot_now()).view;
    if (const heartbeat::Member *self = view.find(node_.self())) health_.resume(self->eligible);
    node_.set_health(boot_now(), health_.healthy(), {});
}

} // namespace agent
