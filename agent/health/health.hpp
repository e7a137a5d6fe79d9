// SPDX-License-Identifier: Apache-2.0
//
// Does the service behind each rule work on this node? What this node says of it goes to the leader
// with its beats, and moves the buckets of that rule alone.
//
//   listener    a process listens on a port of the rule. The filter is the first to notice that none does:
//               it drops the SYN and raises an alarm, and a look at the kernel's list of listeners
//               decides. Without traffic, a look now and then finds it.
//   others      a check (check.hpp) at an interval, with a time limit.
//
// HealthState (state.hpp) decides what a result means.
#pragma once

#include "agent/base/json.hpp"
#include "agent/health/check.hpp"
#include "agent/health/listeners.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/membership.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace agent {

class Health {
  public:
    using ListListeners = std::function<std::vector<Listener>()>;

    // Listeners are looked for at once; what needs a check is not healthy before its first result.
    // checks: of each rule. interface: the index of the clients'. The datapath outlives it.
    Health(const Config &config, HealthChecks checks, int interface, filter::Datapath &datapath,
           heartbeat::Time now, ListListeners list = list_listeners);

    // Another configuration is in force, or the same one read again. A rule that goes on is as
    // healthy as it was, and a new one healthy, until the first result of another check.
    void configure(const Config &config, HealthChecks checks, heartbeat::Time now);
    // This node goes on serving these rules, as its predecessor did: they pass for healthy until the
    // first result.
    void resume(heartbeat::RuleBits served);

    // Call on every turn; what there is to tell: "rule http: unhealthy (cause)".
    std::vector<std::string> handle(heartbeat::Time now);
    // Ends holds that do harm: where no other node finds the service healthy, this one is needed.
    void consider(heartbeat::Time now, const heartbeat::View &view, heartbeat::NodeId self);
    bool holds(heartbeat::Time now) const; // some rule is held down

    heartbeat::RuleBits healthy() const;
    heartbeat::RuleBits healthy_under(const Config &next) const;
    Json report(std::size_t rule, heartbeat::Time now) const;   // for status
    std::string reason(std::size_t rule, heartbeat::Time now) const; // empty: healthy

    void wait(Poll &poll) const;

  private:
    struct RuleHealth {
        RuleHealth(const RuleConfig &of, std::unique_ptr<HealthCheck> by, heartbeat::Time from);

        // The same service is examined by another check, from then on.
        void go_on_with(std::unique_ptr<HealthCheck> by, heartbeat::Time from);

        RuleConfig rule;
        HealthState state;
        std::unique_ptr<HealthCheck> check; // null: none, or a look at the listeners
        bool under_way = false, told = true;
        heartbeat::Time begun{}, next;
        std::uint64_t results = 0, failures = 0;
        std::string not_checked; // why the last check could not be made
        // Of type listener: where it is, what the filter has been told, and what it said.
        std::optional<filter::Service> service, told_service;
        std::optional<bool> expected;
        bool missed = false;
        heartbeat::Time unseen_until{};
    };
    void look(heartbeat::Time now);
    void look_for(RuleHealth &one, const std::vector<Listener> &listeners, heartbeat::Time now);
    void check(RuleHealth &one, heartbeat::Time now);
    bool begin(RuleHealth &one, heartbeat::Time now); // it is under way
    void wait_for_end(RuleHealth &one, heartbeat::Time now);
    void take(RuleHealth &one, heartbeat::Time now, const CheckResult &finding);
    void expect(std::size_t rule, heartbeat::Time now);
    std::optional<std::size_t> find(const std::string &name) const;
    static std::string text(const RuleHealth &one, heartbeat::Time now);

    std::vector<filter::IpAddress> virtual_ips_;
    std::vector<std::uint16_t> own_ports_;
    int interface_;
    filter::Datapath &datapath_;
    ListListeners list_;
    std::vector<RuleHealth> rules_;
    heartbeat::Time next_look_{}, wake_to_look_{}; // not before, and at the latest
    std::string look_failure_; // why listeners could not be listed
};

} // namespace agent
