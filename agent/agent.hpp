// SPDX-License-Identifier: Apache-2.0
//
// The agent: one thread around one poll. It owns everything that a node has on this host, from the
// lock on its run directory to the last socket, and gives it back in reverse order.
//
// Beats come first on every turn, and time-outs are judged only when those that wait have been
// read: an agent that was stopped for a while would otherwise believe that all others had died.
#pragma once

#include "agent/base/signals.hpp"
#include "agent/config/config.hpp"
#include "agent/control/commands.hpp"
#include "agent/control/local.hpp"
#include "agent/control/port.hpp"
#include "agent/control/relay.hpp"
#include "agent/frames/multicast_router.hpp"
#include "agent/frames/neighbours.hpp"
#include "agent/frames/reject.hpp"
#include "agent/frames/witness.hpp"
#include "agent/health/health.hpp"
#include "agent/host/interface.hpp"
#include "agent/host/lock.hpp"
#include "agent/host/run_dir.hpp"
#include "agent/host/setup.hpp"
#include "agent/node/census.hpp"
#include "agent/node/draining.hpp"
#include "agent/node/node.hpp"
#include "agent/orders/execution.hpp"
#include "agent/orders/reload.hpp"
#include "agent/report/capture_source.hpp"
#include "agent/report/loop_lag.hpp"
#include "agent/report/problems.hpp"
#include "agent/report/reasons.hpp"
#include "agent/report/service_manager.hpp"
#include "agent/web/server.hpp"
#include "heartbeat/transport.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agent {

struct AgentOptions {
    std::string config_file = "/etc/nlb/cluster.toml";
    std::optional<std::string> node;
    std::string run_dir = kDefaultRunDir;
    std::optional<std::string> state_dir; // left out: /var/lib/nlb, or RUN_DIR/state elsewhere
    std::optional<std::string> user;      // to become; left out: whoever starts it
};

class Agent {
  public:
    // Takes part in everything but does not serve yet. Throws, "verb object: cause; way out", with
    // all undone.
    explicit Agent(const AgentOptions &options);
    ~Agent();
    Agent(const Agent &) = delete;
    Agent &operator=(const Agent &) = delete;

    // Returns when it was told to end and has left the cluster. Throws when it has to give up,
    // likewise after that.
    void run();

  private:
    void wait();
    void drain_beats();
    void consult_witness();
    void count_connections();
    void look_after_draining();
    void look_after_services();
    void go_on_with_services();
    Pace pace() const;
    const HostInterface &look_at_interface();
    void obey_signals();
    void end();
    void leave();
    void give_up(const std::string &why);
    void look_after_all(bool link_changed);
    void look_after_host();
    void look_after_interface();
    std::string heal_filter();
    void look_after_filter();
    void look_after_bridges(bool link_changed);
    std::vector<Counted> count_reasons() const;
    void tell_reasons();
    bool has_left() const;
    void tell_service_manager();

    void serve_commands();
    void add_commands();
    Json status_now();
    std::string document(Document which);

    Signals signals_;
    std::vector<std::string> without_; // what the kernel has refused: real-time priority, locked memory
    Config config_;
    NodeConfig self_;
    ClusterKeys keys_;
    std::string stays_root_; // why, though it was to become another user
    OrdersFile orders_file_;
    Orders orders_; // as they were found
    std::string interface_;
    HostInterface seen_; // of that interface, last
    int interface_index_;
    RunDir run_dir_;
    HostLock interface_lock_;
    std::optional<WebServer> web_; // answers when the loop does
    std::vector<filter::StepDown> steps_down_; // why the datapath is not the one that was tried first
    std::unique_ptr<filter::Datapath> datapath_;
    HostSetup host_;
    Neighbours neighbours_;
    Refusals refusals_;
    std::optional<MulticastRouter> multicast_router_;
    std::optional<Witness> witness_;
    LinkWatch links_;
    heartbeat::Transport transport_;
    Control control_;
    ControlPort control_port_;
    Health health_;
    Node node_;
    SocketCensus census_;
    Draining draining_;
    Commands commands_;
    Relay relay_;
    Administration administration_;
    Reload reload_;
    Showing showing_{*datapath_};
    ReasonsLog reasons_log_;
    Problems problems_;
    ServiceManager service_manager_;

    LoopLag lag_;
    heartbeat::Time begun_{};                 // what was due before came to nobody late
    std::optional<std::string> flaw_ =        // of the filter, as far as is known
        "the filter has not been shown to work yet";
    std::string failure_;                     // why the agent ends, when nobody told it to
    bool counting_ = true;                    // sockets can be listed, as far as is known
    bool advertising_ = true;                 // bridges are told, as far as is known
    bool control_waits_ = false;              // more requests than one turn answers
    heartbeat::Time heal_at_{};               // look after the host then
    std::optional<heartbeat::Time> leave_by_; // told to end: at the latest then
};

} // namespace agent
