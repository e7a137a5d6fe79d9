// SPDX-License-Identifier: Apache-2.0
//
// A look at the listeners decides for all rules of that type at once, so looks have a time of their
// own; each other rule has its own check and interval.
#include "agent/health/health.hpp"

#include "agent/config/words.hpp"

#include <algorithm>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Duration;
using heartbeat::RuleBits;
using heartbeat::Time;

// On turns that the loop takes anyway, since a turn costs more than a look; 30 ms after the last one
// it is woken for it.
constexpr Duration kLookEvery = 20ms, kWakeAfter = 30ms;
constexpr Duration kRetryEnd = 10ms;
constexpr int kLookShare = 20; // of the time, one part at most
// How long a node drops new connections after its service has gone, because another node is about
// to take them. If none does, the host's stack refuses them, as it would without nlbd.
constexpr Duration kSomebodyElse = 1s;

constexpr unsigned kListenerRise = 3, kListenerFall = 1; // looks

RuleBits bit(std::size_t rule) { return RuleBits{1} << rule; }

bool asks_listeners(const RuleConfig &rule) { return rule.health.type == HealthType::listener; }

std::string none_listens(const RuleConfig &rule) {
    const std::string ports = ports_text(rule);
    if (ports == "any") return "no process listens on any port";
    return "no process listens on port" + std::string(ports.find('-') == ports.npos ? " " : "s ") + ports;
}

// Where the agent itself listens, which is not a service.
std::vector<std::uint16_t> own_ports(const Config &config) {
    std::vector<std::uint16_t> ports{config.control_port};
    if (config.metrics_listen) ports.push_back(config.metrics_listen->port);
    return ports;
}

// The same service, examined in the same way.
bool same_service(const RuleConfig &one, const RuleConfig &other) {
    return one.name == other.name && one.virtual_ips == other.virtual_ips &&
           one.protocol == other.protocol && one.first_port == other.first_port &&
           one.last_port == other.last_port && one.health == other.health;
}

} // namespace

Health::Health(const Config &config, HealthChecks checks, int interface, filter::Datapath &datapath,
               Time now, ListListeners list)
    : virtual_ips_(config.virtual_ips), own_ports_(own_ports(config)), interface_(interface), datapath_(datapath),
      list_(std::move(list)) {
    for (std::size_t i = 0; i < config.rules.size(); ++i)
        rules_.emplace_back(config.rules[i], std::move(checks[i]), now);
    look(now);
    for (RuleHealth &one : rules_)
        one.told = one.state.healthy() || !one.state.known();
}

Health::RuleHealth::RuleHealth(const RuleConfig &of, std::unique_ptr<HealthCheck> by, Time from)
    : rule(of), state(asks_listeners(of) ? HealthState(kListenerRise, kListenerFall)
                                         : HealthState(of.health.rise, of.health.fall)),
      check(std::move(by)), next(from) {
    state.assume(of.health.type == HealthType::none);
}

void Health::RuleHealth::go_on_with(std::unique_ptr<HealthCheck> by, Time from) {
    check = std::move(by);
    under_way = false;
    next = from;
    expected.reset(); // the filter has forgotten it
}

std::optional<std::size_t> Health::find(const std::string &name) const {
    for (std::size_t i = 0; i < rules_.size(); ++i)
        if (rules_[i].rule.name == name) return i;
    return std::nullopt;
}

void Health::configure(const Config &config, HealthChecks checks, Time now) {
    std::vector<RuleHealth> next;
    virtual_ips_ = config.virtual_ips;
    own_ports_ = own_ports(config);
    for (std::size_t i = 0; i < config.rules.size(); ++i) {
        const RuleConfig &rule = config.rules[i];
        const auto former = find(rule.name);
        if (former && same_service(rules_[*former].rule, rule)) {
            next.push_back(std::move(rules_[*former]));
            next.back().go_on_with(std::move(checks[i]), now);
            continue;
        }
        next.emplace_back(rule, std::move(checks[i]), now);
        if (rule.health.type != HealthType::none)
            next.back().state.assume(!former || rules_[*former].state.healthy());
    }
    rules_ = std::move(next);
    look(now);
}

RuleBits Health::healthy_under(const Config &next) const {
    RuleBits bits = ~RuleBits{0};
    for (std::size_t i = 0; i < next.rules.size(); ++i) {
        const auto former = find(next.rules[i].name);
        const bool asked = next.rules[i].health.type != HealthType::none;
        if (asked && former && !rules_[*former].state.healthy()) bits &= ~bit(i);
    }
    return bits;
}

void Health::resume(RuleBits served) {
    for (std::size_t i = 0; i < rules_.size(); ++i)
        rules_[i].state.assume(served & bit(i) || rules_[i].rule.health.type == HealthType::none);
}

RuleBits Health::healthy() const {
    RuleBits bits = ~RuleBits{0};
    for (std::size_t i = 0; i < rules_.size(); ++i)
        if (!rules_[i].state.healthy()) bits &= ~bit(i);
    return bits;
}

std::vector<std::string> Health::handle(Time now) {
    const std::string failure = look_failure_;
    const RuleBits missed = datapath_.take_missed() & healthy();
    for (std::size_t i = 0; i < rules_.size(); ++i)
        rules_[i].missed = missed & bit(i);
    if (missed || now >= next_look_) look(now);
    std::vector<std::string> texts;
    for (RuleHealth &one : rules_) {
        const std::string before = one.not_checked;
        if (one.check) check(one, now);
        if (one.not_checked != before)
            texts.push_back("rule " + one.rule.name + ": " +
                            (one.not_checked.empty() ? "checked again"
                                                     : "not checked (" + one.not_checked + ")"));
    }
    if (look_failure_ != failure)
        texts.push_back("health: " + (look_failure_.empty() ? "listeners are listed again" : look_failure_));
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        expect(i, now);
        if (!std::exchange(rules_[i].told, true)) texts.push_back(text(rules_[i], now));
    }
    return texts;
}

std::string Health::text(const RuleHealth &one, Time now) {
    const HealthState &state = one.state;
    const std::string subject = "rule " + one.rule.name + ": ";
    if (state.healthy()) return subject + "healthy";
    std::string why = state.reason(now);
    if (const auto hold = state.held_until() - now; hold > 0s)
        why += "; for at least " + std::to_string(hold / 1s) + " s, for it fell " +
               std::to_string(state.falls(now)) + " times";
    return subject + "unhealthy (" + why + ")";
}

// What could not be looked at stays as it was.
void Health::look(Time now) {
    next_look_ = now + kLookEvery;
    wake_to_look_ = now + kWakeAfter;
    const bool needed = std::ranges::any_of(
        rules_, [](const RuleHealth &one) { return asks_listeners(one.rule); });
    if (!needed) {
        next_look_ = wake_to_look_ = heartbeat::kNever;
        return;
    }
    try {
        const auto begun = std::chrono::steady_clock::now();
        std::vector<Listener> listeners = list_();
        const Duration took = std::chrono::steady_clock::now() - begun;
        next_look_ = now + std::max(kLookEvery, kLookShare * took);
        wake_to_look_ = std::max(wake_to_look_, next_look_);
        look_failure_.clear();
        std::erase_if(listeners, [this](const Listener &one) {
            return std::ranges::count(own_ports_, one.port) > 0;
        });
        for (RuleHealth &one : rules_)
            if (asks_listeners(one.rule)) look_for(one, listeners, now);
    } catch (const std::exception &error) {
        look_failure_ = error.what();
    }
}

void Health::look_for(RuleHealth &one, const std::vector<Listener> &listeners, Time now) {
    const auto found = find_service(listeners, one.rule, virtual_ips_, interface_);
    // The filter missed a listener that is where it was: the filter cannot see it, and must not ask about it.
    if (one.missed && found && found == one.service) one.unseen_until = now + kSomebodyElse;
    one.missed = false;
    one.service = found;
    const auto unserved = find_unserved(listeners, one.rule, virtual_ips_, interface_);
    const std::string where = found && unserved ? " of " + filter::to_string(*unserved) : "";
    take(one, now, {!unserved, unserved ? none_listens(one.rule) + where : ""});
}

void Health::check(RuleHealth &one, Time now) {
    const HealthConfig &wanted = one.rule.health;
    auto finding = one.check->handle();
    if (!one.under_way) {
        if (now < one.next || !begin(one, now)) return;
        finding = one.check->handle();
    }
    if (!finding && now >= one.begun + wanted.timeout) {
        one.check->abort();
        finding = CheckResult{false, "no answer within " + std::to_string(wanted.timeout.count()) + " ms"};
    }
    if (!finding) return;
    one.under_way = false;
    take(one, now, *finding);
}

// What could not be checked stays as it was.
bool Health::begin(RuleHealth &one, Time now) {
    try {
        if (!one.check->begin()) {
            wait_for_end(one, now);
            return false;
        }
        one.begun = now;
        one.under_way = true;
        one.not_checked.clear();
    } catch (const std::exception &error) {
        one.not_checked = error.what();
    }
    one.next = now + one.rule.health.interval;
    return one.under_way;
}

// A killed command usually ends within a moment, but not if it hangs in the kernel.
void Health::wait_for_end(RuleHealth &one, Time now) {
    const bool hangs = now - one.begun >= 2 * one.rule.health.interval;
    one.next = now + (hangs ? Duration(one.rule.health.interval) : kRetryEnd);
    if (hangs) take(one, now, {false, "the last check does not end"});
}

void Health::take(RuleHealth &one, Time now, const CheckResult &finding) {
    const bool healthy = one.state.healthy(), known = one.state.known();
    one.state.take(now, finding);
    ++one.results;
    one.failures += !finding.works;
    if (one.state.healthy() != healthy || (!known && !finding.works)) one.told = false;
}

void Health::expect(std::size_t rule, Time now) {
    RuleHealth &one = rules_[rule];
    const HealthState &state = one.state;
    const bool gone = state.fell_at() != Time{} && now - state.fell_at() < kSomebodyElse;
    const bool expected = asks_listeners(one.rule) && now >= one.unseen_until &&
                          (state.healthy() || gone);
    if (one.expected == expected && one.told_service == one.service) return;
    datapath_.expect_service(rule, expected, one.service);
    one.expected = expected;
    one.told_service = one.service;
}

bool Health::holds(Time now) const {
    return std::ranges::any_of(rules_, [now](const RuleHealth &one) { return one.state.held(now); });
}

void Health::consider(Time now, const heartbeat::View &view, heartbeat::NodeId self) {
    const heartbeat::Member *me = view.find(self);
    for (std::size_t i = 0; me && i < rules_.size(); ++i) {
        HealthState &state = rules_[i].state;
        if (!state.held(now)) continue;
        // Unhealthy and yet eligible here, or no node eligible: the service works nowhere.
        const bool elsewhere = !(me->eligible & bit(i)) &&
                               std::ranges::any_of(view.members, [i](const auto &member) {
                                   return member.weight > 0 && member.eligible & bit(i);
                               });
        if (elsewhere) continue;
        state.release(now);
        rules_[i].told = !state.healthy();
    }
}

std::string Health::reason(std::size_t rule, Time now) const {
    return rules_[rule].state.reason(now);
}

Json Health::report(std::size_t rule, Time now) const {
    const RuleHealth &one = rules_[rule];
    const std::string why = reason(rule, now);
    const std::string &lack = asks_listeners(one.rule) ? look_failure_ : one.not_checked;
    return {{"type", kHealthTypes[static_cast<std::size_t>(one.rule.health.type)]},
            {"reason", why.empty() ? Json() : Json(why)},
            {"not_checked", lack.empty() ? Json() : Json(lack)},
            {"held_down_ms", one.state.hold_left(now) / 1ms},
            {"falls", one.state.falls(now)},
            {"checks", one.results},
            {"failures", one.failures}};
}

void Health::wait(Poll &poll) const {
    poll.read(datapath_.missed_descriptor());
    poll.at(wake_to_look_);
    for (const RuleHealth &one : rules_) {
        if (!one.check) continue;
        one.check->wait(poll);
        poll.at(one.under_way ? one.begun + one.rule.health.timeout : one.next);
    }
}

} // namespace agent
