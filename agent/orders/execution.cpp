// SPDX-License-Identifier: Apache-2.0
// The steps of an order: wait for the file, write it, take effect, wait until the status shows it.
#include "agent/orders/execution.hpp"

#include "agent/base/log.hpp"
#include "agent/control/arguments.hpp"
#include "agent/orders/settings.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::NodeState;
using heartbeat::Time;

// A hand-over takes milliseconds, or one lease when others are dead.
constexpr Time kPatience = 5s;

// Orders outlive the boot clock.
std::int64_t seconds_since_1970() { return std::time(nullptr); }

bool is_out(const Orders &orders) { return orders.suspended || orders.part == Part::stop; }

} // namespace

struct Execution::Change {
    Edit edit;
    bool of_suspended = false;
    enum class Step { begin, write, show } step = Step::begin;
    Orders next;
    std::optional<Time> until; // the present step
};

Execution::Execution(Executing parts, OrdersFile &file, Orders orders)
    : parts_(std::move(parts)), file_(file), orders_(std::move(orders)) {}

void Execution::add_to(Commands &commands) {
    const auto part = [this](Part wanted) {
        return [this, wanted](const auto &) {
            return order([wanted](Orders &orders) {
                orders.part = wanted;
                orders.drain_until.reset();
            });
        };
    };
    commands.add_order("start", part(Part::serve));
    commands.add_order("stop", part(Part::stop));
    commands.add_order("drain", [this](const auto &args) { return drain(args); });
    commands.add_order("suspend", [this](const auto &) {
        return order([](Orders &orders) { orders.suspended = true; }, true);
    });
    commands.add_order("resume", [this](const auto &) {
        return order([](Orders &orders) { orders.suspended = false; }, true);
    });
    commands.add_order("enable", [this](const auto &args) { return order_rule(args, std::nullopt); });
    commands.add_order("disable",
                 [this](const auto &args) { return order_rule(args, RuleOrder::disabled); });
    commands.add_order("drain-rule",
                 [this](const auto &args) { return order_rule(args, RuleOrder::draining); });
    commands.add_order("weight", [this](const auto &args) { return weight(args); });
    commands.add("state", [this](const auto &) { return state(); });
}

Commands::Result Execution::order(Edit edit, bool of_suspended) {
    const auto change = std::make_shared<Change>();
    change->edit = std::move(edit);
    change->of_suspended = of_suspended;
    return [this, change] {
        const auto done = go_on(*change);
        if (!done && parts_.now() >= *change->until) wait_no_longer(change);
        return done;
    };
}

// What has been handed to the disk may be read from it after a restart; it is in force then.
void Execution::wait_no_longer(const std::shared_ptr<Change> &change) {
    const std::string hangs = "the state directory does not answer: " + file_.path();
    if (change->step == Change::Step::begin)
        throw Failed(hangs + "; nothing was changed, check its disk and try again");
    own_.push_back([this, change] { return go_on(*change); });
    throw Failed(hangs + "; the order comes into force when it does");
}

std::optional<Json> Execution::go_on(Change &change) {
    if (!change.until) change.until = parts_.now() + kPatience;
    if (change.step != Change::Step::show) {
        if (!write(change)) return std::nullopt;
        take_effect(change.next);
        change.step = Change::Step::show;
        change.until = parts_.now() + kPatience;
    }
    if (settled(change.next)) return Json::object();
    if (parts_.now() < *change.until) return std::nullopt;
    throw Failed("accepted, but not in effect after 5 s; see nlbctl status");
}

// True when the order is on disk. One change at a time: each builds on the one before it.
bool Execution::write(Change &change) {
    if (change.step == Change::Step::begin) {
        refuse_when_ending();
        if (file_.busy()) return false;
        if (orders_.suspended && !change.of_suspended)
            throw Denied("suspended: accepts nothing but resume");
        change.next = orders_;
        change.edit(change.next);
        if (change.next == orders_) return true;
        file_.begin(change.next);
        change.step = Change::Step::write;
    }
    const auto failure = file_.finished();
    if (failure && !failure->empty()) throw Failed(*failure);
    return failure.has_value();
}

void Execution::refuse_when_ending() const {
    if (ending_) throw Denied("the agent is about to end");
}

void Execution::take_effect(const Orders &next) {
    const Orders before = orders_;
    orders_ = next;
    set_rules(before);
    if (before.weight != orders_.weight) set_weight();
    set_mode(before);
}

// The filter comes first, so that it does not drop packets of buckets that this node gains by
// `enable`.
void Execution::set_rules(const Orders &before) {
    for (std::size_t i = 0; i < parts_.in_force.config.rules.size(); ++i) {
        const RuleConfig &rule = parts_.in_force.config.rules[i];
        const bool disabled = is_disabled(rule, orders_);
        if (disabled == is_disabled(rule, before)) continue;
        parts_.datapath.set_disabled(i, disabled);
        parts_.census.set_disabled(i, disabled);
    }
    const auto eligible = eligible_rules(parts_.in_force.config, parts_.in_force.self, orders_);
    if (eligible != eligible_rules(parts_.in_force.config, parts_.in_force.self, before))
        parts_.node.step(parts_.now(), heartbeat::event::SetEligible{eligible});
}

void Execution::configure() {
    for (std::size_t i = 0; i < parts_.in_force.config.rules.size(); ++i) {
        const bool disabled = is_disabled(parts_.in_force.config.rules[i], orders_);
        parts_.datapath.set_disabled(i, disabled);
        parts_.census.set_disabled(i, disabled);
    }
    parts_.node.step(parts_.now(),
                     heartbeat::event::SetEligible{eligible_rules(parts_.in_force.config, parts_.in_force.self, orders_)});
    set_weight();
}

void Execution::refuse_orders() const {
    refuse_when_ending();
    if (orders_.suspended) throw Denied("suspended: accepts nothing but resume");
}

std::uint8_t Execution::weight_of(const NodeConfig &self) const {
    return orders_.weight.value_or(self.weight);
}

void Execution::set_weight() {
    parts_.node.step(parts_.now(), heartbeat::event::SetWeight{weight_of(parts_.in_force.self)});
}

void Execution::set_able(bool able) {
    if (able == able_) return;
    able_ = able;
    enter_mode();
}

void Execution::set_mode(const Orders &before) {
    if (before.part != orders_.part || before.drain_until != orders_.drain_until ||
        before.suspended != orders_.suspended)
        enter_mode();
}

// Applies the order, if the node is able to. The membership ignores an event that changes nothing.
void Execution::enter_mode() {
    if (ending_) return;
    const Time now = parts_.now();
    parts_.draining.cancel();
    if (orders_.suspended) return parts_.node.step(now, heartbeat::event::Suspend{});
    if (orders_.part == Part::stop || !able_)
        return parts_.node.step(now, heartbeat::event::Stop{});
    if (orders_.part == Part::serve) return parts_.node.step(now, heartbeat::event::Start{});
    std::optional<Time> until;
    if (orders_.drain_until)
        until = now + std::chrono::seconds(std::clamp<std::int64_t>(
                          *orders_.drain_until - seconds_since_1970(), 0, kLongestDrain));
    parts_.draining.begin(Draining::Then::stop, until);
    parts_.node.step(now, heartbeat::event::Drain{});
}

void Execution::restore() {
    if (orders_ == Orders{}) return;
    log::info("orders: restored (part=" + std::string(to_string(orders_.part)) +
              " suspended=" + (orders_.suspended ? "yes" : "no") +
              " rules=" + std::to_string(orders_.rules.size()) + ")");
    enter_mode();
}

// A node that was ordered out has left the cluster; a node that serves does so by a view that
// contains what was ordered. `nlbctl status` after the command shows it.
bool Execution::settled(const Orders &wanted) const {
    const heartbeat::Status status = parts_.node.status(parts_.now());
    if (is_out(wanted) && is_out(orders_))
        return status.state == NodeState::stopped || status.state == NodeState::suspended;
    return status.state != NodeState::active || (status.installed && status.as_asked);
}

// If this cannot be written, the order stays as it was: after a restart the node drains again.
void Execution::drained() {
    const auto stop = [](Orders &orders) {
        if (orders.part == Part::drain) orders.part = Part::stop;
        orders.drain_until.reset();
    };
    own_.push_back([this, change = std::get<Commands::Later>(order(stop, true))] {
        try {
            return change();
        } catch (const std::exception &) {
            Orders stopped = orders_;
            stopped.part = Part::stop;
            if (orders_.part == Part::drain) take_effect(stopped);
            throw;
        }
    });
    handle();
}

void Execution::handle() {
    const auto is_over = [](const Commands::Later &change) {
        try {
            return change().has_value();
        } catch (const std::exception &cause) {
            log::warn(std::string("orders: ") + cause.what());
            return true;
        }
    };
    for (auto change = own_.begin(); change != own_.end();)
        change = is_over(*change) ? own_.erase(change) : std::next(change);
}

// [SECONDS]. A node that is out of the cluster has nothing to drain.
Commands::Result Execution::drain(const Commands::Arguments &args) {
    std::optional<std::int64_t> until;
    if (!args.empty()) until = seconds_since_1970() + parse_seconds(args[0]);
    return order([until](Orders &orders) {
        if (orders.part == Part::stop) return;
        if (until || orders.part != Part::drain) orders.drain_until = until;
        orders.part = Part::drain;
    });
}

// RULE, by name or as VIP:PORT.
Commands::Result Execution::order_rule(const Commands::Arguments &args,
                                            std::optional<RuleOrder> wanted) {
    std::vector<std::string> names;
    for (const std::size_t rule : find_rules(args, parts_.in_force.config)) {
        if (parts_.in_force.config.rules[rule].mode == RuleMode::disabled)
            throw Denied("rule " + parts_.in_force.config.rules[rule].name +
                          " is disabled by the configuration");
        names.push_back(parts_.in_force.config.rules[rule].name);
    }
    return order([names, wanted](Orders &orders) {
        for (const std::string &name : names)
            if (wanted)
                orders.rules[name] = *wanted;
            else
                orders.rules.erase(name);
    });
}

// N or "default".
Commands::Result Execution::weight(const Commands::Arguments &args) {
    const std::optional<std::uint8_t> weight = parse_weight(args);
    return order([weight](Orders &orders) { orders.weight = weight; });
}

Json Execution::state() const {
    const heartbeat::Status status = parts_.node.status(parts_.now());
    const auto &census = parts_.census.latest();
    return {{"state", to_string(status.state)},
            {"connections", census ? Json(census->total()) : Json()}};
}

} // namespace agent
