// SPDX-License-Identifier: Apache-2.0
#include "agent/orders/reload.hpp"

#include "agent/base/log.hpp"
#include "agent/config/trust.hpp"
#include "agent/host/privileges.hpp"
#include "agent/orders/changes.hpp"
#include "agent/orders/settings.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace agent {
namespace {

using namespace std::chrono_literals;
using heartbeat::Time;

// When all members have staged, it takes milliseconds; the command on the first of several nodes
// does not wait for those on the others.
constexpr Time kPatience = 1s;
constexpr Time kDiskPatience = 5s;

// A configuration that does not list this node removes it and changes nothing else on it.
const NodeConfig &self_in(const Config &config, const NodeConfig &self) {
    const auto found = std::ranges::find(config.nodes, self.id, &NodeConfig::id);
    return found == config.nodes.end() ? self : *found;
}

bool same_packets(const RuleConfig &one, const RuleConfig &other) {
    return one.virtual_ips == other.virtual_ips && one.protocol == other.protocol &&
           one.first_port == other.first_port && one.last_port == other.last_port &&
           one.affinity == other.affinity;
}


void log_keys(const ClusterKeys &former, const ClusterKeys &keys) {
    if (keys == former) return;
    log::info(std::string("configuration: cluster key changed (") +
              (keys.in_use != former.in_use ? "uses=second"
               : keys.other                 ? "accepts=both"
                                            : "accepts=one") +
              ")");
}

} // namespace

std::vector<std::optional<std::size_t>> former_tables(const Config &running, const Config &next) {
    std::vector<std::optional<std::size_t>> former;
    for (const RuleConfig &rule : next.rules) {
        const auto found = std::ranges::find_if(
            running.rules, [&](const RuleConfig &old) { return same_packets(old, rule); });
        if (found == running.rules.end())
            former.emplace_back();
        else
            former.emplace_back(found - running.rules.begin());
    }
    const bool all =
        std::ranges::all_of(former, [](const auto &table) { return table.has_value(); });
    if (all && next.rules.size() == running.rules.size())
        former.emplace_back(running.rules.size());
    else
        former.emplace_back();
    return former;
}

Json reloading(const Config &config, const heartbeat::Status &status) {
    const auto names = [&](const std::vector<heartbeat::NodeId> &ids) {
        Json list = Json::array();
        for (const heartbeat::NodeId id : ids)
            list.push_back(name_of(config, id));
        return list;
    };
    return {{"waiting_for", names(status.unstaged)},
            {"staged_another", names(status.staged_another)}};
}

void Reload::add_to(Commands &commands) {
    commands.add_order("reload", [this](const auto &) { return reload(); });
}

Commands::Result Reload::reload() {
    parts_.execution.refuse_orders();
    const auto request = std::make_shared<Request>();
    request->until = parts_.now() + kDiskPatience;
    return [this, request] { return go_on(request); };
}

std::optional<Json> Reload::go_on(const std::shared_ptr<Request> &request) {
    if (!request->staged) {
        if (!read(request)) return std::nullopt;
        parts_.execution.refuse_orders();
        check(*request->read);
        request->staged = stage(std::move(*request->read));
        request->until = parts_.now() + kPatience;
    }
    return wait_for_all(*request);
}

// True when the files have been read. Only one command at a time reads them; if it ends early,
// handle() takes what was read.
bool Reload::read(const std::shared_ptr<Request> &request) {
    if (request->read) return true;
    if (!request->reading && !reading_.busy()) {
        reading_.begin([file = parts_.in_force.config.file, monitor = parts_.monitor] { return read_files(file, monitor); });
        reader_ = request;
        request->reading = true;
    }
    if (parts_.now() >= request->until)
        throw Failed(parts_.in_force.config.file +
                     ": its disk, or the key's, or the user database, does not "
                     "answer; nothing was changed; check them and try again");
    return false;
}

// Runs in the background. Errors are reported to the command; the agent keeps the configuration in
// force.
Reload::Read Reload::read_files(const std::string &file, const std::shared_ptr<Monitor> &monitor) {
    Read read{};
    try {
        const Opener open = [&](const std::string &name) { return monitor->open(name); };
        read.config = load_trusted_config(file, open);
        read.keys = load_keys(read.config.key_file, open);
        read.checks = make_health_checks(read.config, monitor);
    } catch (const std::exception &error) {
        read.failure = error.what();
    }
    return read;
}

std::string Reload::obstacle(const Config &next) const {
    const Config &running = parts_.in_force.config;
    if (const auto refused = refused_changes(running, next); !refused.empty())
        return next.file + ": cannot change while nlbd runs: " + listed(refused) +
               "; stop nlbd on every node, then start it with the new file";
    if (const std::string on_host = parts_.obstacle_on_host(next); !on_host.empty())
        return next.file + ": " + on_host;
    return "";
}

// Throws when it must not come into force here. Keys change a step at a time: each node must accept
// what the others use, in whatever order the nodes change.
void Reload::check(const Read &next) const {
    if (!next.failure.empty()) throw Failed(next.failure);
    if (const std::string why = obstacle(next.config); !why.empty()) throw Failed(why);
    if (!next.keys.accept(parts_.in_force.keys.in_use) || !parts_.in_force.keys.accept(next.keys.in_use))
        throw Failed(next.config.key_file +
                     ": holds another key than this agent uses; one key follows another in the "
                     "steps of nlbctl keygen --next, --use, --drop, or, where the others "
                     "have taken them all, with a restart of nlbd here");
}

Reload::Asked Reload::asked(const Config &next) const {
    return {parts_.execution.orders(), parts_.health.healthy_under(next),
            parts_.execution.weight_of(self_in(next, parts_.in_force.self))};
}

StagedConfig Reload::prepared(const Config &next, const ClusterKeys &keys,
                              const Asked &asked) const {
    const NodeConfig &self = self_in(next, parts_.in_force.self);
    StagedConfig config{.settings = membership_settings(next, self, keys, asked.orders),
                        .rules = ownership_rules(next),
                        .filter = filter_settings(next, keys.in_use, asked.orders),
                        .envelope = beat_envelope(next, keys),
                        .received = received(next),
                        .former = former_tables(parts_.in_force.config, next)};
    if (keys.in_use != parts_.in_force.keys.in_use)
        config.former.assign(config.former.size(), std::nullopt); // other buckets
    config.settings.healthy = asked.healthy;
    config.settings.weight = asked.weight;
    config.before = [this, next] { parts_.withdraw(next); };
    return config;
}

// Staging the configuration in force takes back what was staged.
heartbeat::Digest Reload::stage(Read next) {
    const Asked wanted = asked(next.config);
    StagedConfig config = prepared(next.config, next.keys, wanted);
    const heartbeat::Digest digest = config.settings.config;
    if (digest == parts_.node.config()) {
        parts_.in_force.config = std::move(next.config); // the same except where the key lies
        parts_.health.configure(parts_.in_force.config, std::move(next.checks), parts_.now());
        staged_.reset();
    } else {
        staged_ = Staged{std::move(next.config), next.keys, std::move(next.checks), digest, wanted};
    }
    parts_.node.stage(parts_.now(), std::move(config));
    return digest;
}

// Orders and health results that arrive meanwhile are in the staged configuration from its first
// moment.
void Reload::follow() {
    const Asked wanted = asked(staged_->config);
    if (wanted == staged_->asked) return;
    staged_->asked = wanted;
    parts_.node.restage(parts_.now(), prepared(staged_->config, staged_->keys, wanted));
}

std::optional<Json> Reload::wait_for_all(const Request &request) {
    handle();
    if (parts_.node.config() == request.staged) return told(true);
    if (!staged_ || staged_->digest != request.staged)
        throw Failed(parts_.in_force.config.file + ": another reload has taken it back");
    const bool removed = parts_.node.status(parts_.now()).removed;
    if (!removed && parts_.now() < request.until) return std::nullopt;
    return told(removed);
}

Json Reload::told(bool in_force) const {
    Json told{{"waiting_for", Json::array()}, {"staged_another", Json::array()}};
    if (!in_force) told = reloading(parts_.in_force.config, parts_.node.status(parts_.now()));
    told["in_force"] = in_force;
    told["removed"] = in_force && parts_.node.status(parts_.now()).removed;
    told["restart"] = in_force ? parts_.waits_for_restart() : std::vector<std::string>();
    return told;
}

void Reload::handle() {
    if (auto read = reading_.finished())
        if (const auto reader = reader_.lock()) reader->read = std::move(read);
    if (!staged_) return;
    if (staged_->digest != parts_.node.config()) return follow();
    configure(*std::exchange(staged_, std::nullopt));
}

// It is in force in this node's membership and datapath; now every other part takes it over.
void Reload::configure(Staged next) {
    InForce &in_force = parts_.in_force;
    const NodeConfig self = self_in(next.config, in_force.self);
    const InForce former = std::exchange(in_force, {std::move(next.config), self, next.keys});
    log_keys(former.keys, in_force.keys);
    parts_.relay.configure(in_force);
    parts_.control_port.configure(in_force);
    parts_.census.configure(filter_settings(in_force.config, in_force.keys.in_use,
                                            parts_.execution.orders()));
    parts_.execution.configure();
    parts_.follow_on_host(former.config);
    parts_.health.configure(in_force.config, std::move(next.checks), parts_.now());
    log::info("configuration: in force (file=" + in_force.config.file + ")");
}

} // namespace agent
