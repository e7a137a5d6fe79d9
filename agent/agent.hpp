// SPDX-License-Identifier: Apache-2.0
//
// The agent: one thread around one poll. It owns everything that a node has on this host, from the
// lock on its run directory to the last socket, and gives it back in reverse order.
//
// Beats come first on every turn, and time-outs are judged only when those that wait have been
// read: an agent that was stopped for a while would otherwise believe that all others had died.
#pragma once

#include "agent/base/signals.hpp"
#include "agent/base/turn_limit.hpp"
#include "agent/base/working.hpp"
#include "agent/config/in_force.hpp"
#include "agent/control/commands.hpp"
#include "agent/control/local.hpp"
#include "agent/control/port.hpp"
#include "agent/control/relay.hpp"
#include "agent/departure.hpp"
#include "agent/frames/multicast_router.hpp"
#include "agent/frames/neighbours.hpp"
#include "agent/frames/reject.hpp"
#include "agent/frames/witness.hpp"
#include "agent/health/health.hpp"
#include "agent/host/announcement.hpp"
#include "agent/host/interface.hpp"
#include "agent/host/lock.hpp"
#include "agent/host/run_dir.hpp"
#include "agent/host/setup.hpp"
#include "agent/node/census.hpp"
#include "agent/node/draining.hpp"
#include "agent/node/node.hpp"
#include "agent/orders/electorate_file.hpp"
#include "agent/orders/execution.hpp"
#include "agent/orders/push.hpp"
#include "agent/orders/reload.hpp"
#include "agent/parts.hpp"
#include "agent/report/examination.hpp"
#include "agent/report/loop_lag.hpp"
#include "agent/report/problems.hpp"
#include "agent/report/queries.hpp"
#include "agent/report/service_manager.hpp"
#include "agent/upkeep.hpp"
#include "agent/web/server.hpp"
#include "heartbeat/transport.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agent {

class Agent {
  public:
    // Takes part in everything but does not serve yet. Throws, "verb object: cause; way out", with
    // all undone.
    explicit Agent(const AgentOptions &options);
    ~Agent();
    Agent(const Agent &) = delete;
    Agent &operator=(const Agent &) = delete;

    // Returns when it was told to end and has left the cluster. Throws when it has to give up,
    // also after leaving.
    void run();

  private:
    const Config &config() const { return in_force_.config; }
    const NodeConfig &self() const { return in_force_.self; }
    const ClusterKeys &keys() const { return in_force_.keys; }

    void log_start() const;
    void wait();
    void hear();
    bool nothing_else() const;
    void decide();
    void answer();
    void keep_up();

    bool shows_way_of_clients(int beats);
    void consult_witness();
    void count_connections();
    void look_after_services();
    void look_after_electorate();
    void resume_services();
    Pace pace() const;

    std::optional<log::Level> log_level_; // as the command line says
    Signals signals_;
    std::vector<std::string> without_; // what the kernel has refused: real-time priority, locked memory
    InForce in_force_;
    std::shared_ptr<Monitor> monitor_;
    std::string stays_root_; // why, though it was to become another user
    OrdersFile orders_file_;
    ElectorateFile electorate_file_;
    Orders orders_; // as they were found
    std::string interface_;
    Interface seen_; // of that interface, at the start
    RunDir run_dir_;
    HostLock interface_lock_;
    std::optional<WebServer> web_; // answers when the loop does; made by the upkeep
    std::vector<filter::StepDown> steps_down_; // why the datapath is not the one that was tried first
    std::unique_ptr<filter::Datapath> datapath_;
    std::unique_ptr<Announcement> announcement_;
    HostSetup host_;
    Neighbours neighbours_;
    Rejects rejects_;
    std::optional<MulticastRouter> multicast_router_;
    std::optional<Witness> witness_;
    heartbeat::Transport transport_;
    Control control_;
    ControlPort control_port_;
    Health health_;
    Node node_;
    SocketCensus census_;
    Draining draining_;
    Commands commands_;
    Relay relay_;
    ServiceManager service_manager_;
    Execution execution_;
    Reload reload_;
    Push push_;
    Problems problems_;
    Queries queries_;
    Examination examination_;
    Upkeep upkeep_;
    Departure departure_;

    LoopLag lag_;
    TurnLimit turns_;
    Working counting_{"connections: not counted", "connections: counted again"};
    heartbeat::Time begun_{};    // lateness is counted from here at the earliest
    bool control_waits_ = false; // more requests than one turn answers
    heartbeat::Time rests_until_{}; // before, beats that are not urgent do not wake the loop
    bool only_beats_ = false;    // woke the loop
    std::uint64_t changes_ = 0;  // of the node, as the last whole turn saw them
};

} // namespace agent
