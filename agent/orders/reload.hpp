// SPDX-License-Identifier: Apache-2.0
//
// `reload`: the configuration file is read again and staged. It comes into force for the whole
// cluster at once, when every member has staged the same one, by a view that names it
// (heartbeat/README.md); until then, and without the command, nothing changes.
//
// What can change in this way, and what not, is in changes.hpp; the cluster key changes step by step.
//
// What may wait or fail is done before anything is staged, in the background: the files are read,
// and the health checks made. So a configuration that comes into force does so as a whole.
#pragma once

#include "agent/base/background_task.hpp"
#include "agent/base/poll.hpp"
#include "agent/config/in_force.hpp"
#include "agent/control/commands.hpp"
#include "agent/control/port.hpp"
#include "agent/control/relay.hpp"
#include "agent/health/health.hpp"
#include "agent/monitor/monitor.hpp"
#include "agent/node/node.hpp"
#include "agent/orders/execution.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agent {

struct Reloaded { // all of it outlives the Reload
    InForce &in_force;
    Node &node;
    SocketCensus &census;
    Execution &execution;
    Health &health;
    Relay &relay;
    ControlPort &control_port;
    std::shared_ptr<Monitor> monitor; // what is read in the background may outlive the Reload
    std::function<heartbeat::Time()> now;
    // The host and all that lives on its interfaces. Returns why the configuration cannot come into force
    // there; empty if it can.
    std::function<std::string(const Config &next)> obstacle_on_host;
    // Takes from the host what this configuration removes, before the filter forgets it; does not
    // throw.
    std::function<void(const Config &next)> withdraw;
    // Called when it has come into force: the host follows; does not throw. former: the one before
    // it.
    std::function<void(const Config &former)> follow_on_host;
    // Keys that wait for the next start here.
    std::function<std::vector<std::string>()> waits_for_restart;
};

class Reload {
  public:
    explicit Reload(Reloaded parts) : parts_(parts) {}

    void add_to(Commands &commands);
    // On every turn, after the node's tick: when the staged configuration has come into force, the
    // rest of the agent takes it over.
    void handle();
    void wait(Poll &poll) const { poll.read(reading_.descriptor()); }

    // Why the configuration must not come into force here; empty: it may.
    std::string obstacle(const Config &next) const;

  private:
    struct Read { // what the files hold
        Config config;
        ClusterKeys keys;
        HealthChecks checks;
        std::string failure; // why there is nothing
    };
    struct Request {            // of one command
        heartbeat::Time until; // its present step
        bool reading = false;
        std::optional<Read> read;
        std::optional<heartbeat::Digest> staged; // what it waits for
    };
    struct Asked { // of this node under it
        Orders orders;
        heartbeat::RuleBits healthy;
        std::uint8_t weight;
        bool operator==(const Asked &) const = default;
    };
    struct Staged {
        Config config;
        ClusterKeys keys;
        HealthChecks checks;
        heartbeat::Digest digest;
        Asked asked;
    };
    Commands::Result reload();
    std::optional<Json> go_on(const std::shared_ptr<Request> &request);
    bool read(const std::shared_ptr<Request> &request);
    static Read read_files(const std::string &file, const std::shared_ptr<Monitor> &monitor);
    void check(const Read &next) const;
    heartbeat::Digest stage(Read next);
    std::optional<Json> wait_for_all(const Request &request);
    Json told(bool in_force) const;
    Asked asked(const Config &next) const;
    StagedConfig prepared(const Config &next, const ClusterKeys &keys, const Asked &asked) const;
    void follow();
    void configure(Staged next);

    Reloaded parts_;
    BackgroundTask<Read> reading_;
    std::weak_ptr<Request> reader_; // the command that waits for it; it may have ended
    std::optional<Staged> staged_;
};

// "waiting_for": names of the members that have not staged the configuration that this node has
// staged; "staged_another": those of them that have staged a different one.
Json reloading(const Config &config, const heartbeat::Status &status);

// For each table under `next` (one a rule and, last, the uncovered traffic) the one under `running`
// that is of the same packets; nothing when there is none. They are in the same buckets only under
// the same key.
std::vector<std::optional<std::size_t>> former_tables(const Config &running, const Config &next);

} // namespace agent
