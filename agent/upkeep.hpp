// SPDX-License-Identifier: Apache-2.0
//
// Once a second, and after a change of an interface: looks at the host in the background, then restores what was removed
// from it and uses again what came back. Each part is tried separately, so that a failing one does not stop the
// others. After a reload the host follows in the same way, at once.
#pragma once

#include "agent/base/background_task.hpp"
#include "agent/base/working.hpp"
#include "agent/config/in_force.hpp"
#include "agent/control/port.hpp"
#include "agent/frames/multicast_router.hpp"
#include "agent/frames/neighbours.hpp"
#include "agent/frames/witness.hpp"
#include "agent/host/announcement.hpp"
#include "agent/host/interface.hpp"
#include "agent/host/setup.hpp"
#include "agent/look.hpp"
#include "agent/monitor/monitor.hpp"
#include "agent/node/census.hpp"
#include "agent/node/node.hpp"
#include "agent/node/reach.hpp"
#include "agent/orders/changes.hpp"
#include "agent/orders/execution.hpp"
#include "agent/report/problems.hpp"
#include "agent/web/server.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/transport.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agent {

struct Kept { // all of it outlives the Upkeep
    const InForce &in_force;
    const std::string &interface; // the clients'
    filter::Datapath &datapath;
    HostSetup &host;
    Neighbours &neighbours;
    std::optional<MulticastRouter> &multicast_router;
    std::optional<Witness> &witness;
    heartbeat::Transport &transport;
    ControlPort &control_port;
    const Monitor &monitor;
    std::optional<WebServer> &web; // nothing: not wanted, or not possible yet
    const std::unique_ptr<Announcement> &announcement; // nothing: not wanted
    Node &node;
    const SocketCensus &census;
    Execution &execution;
    Problems &problems;
    const std::optional<log::Level> &log_level; // nothing: the configuration's
};

class Upkeep {
  public:
    // interface: as the datapath has found it; index 0: there is none.
    Upkeep(Kept parts, const Interface &interface);

    void wait(Poll &poll) const;
    // Before the first turn: looks after everything, however long the kernel takes.
    void begin(heartbeat::Time now);
    // On every turn. True when it has looked after everything.
    bool handle(heartbeat::Time now);

    // Nor does one that clients or beats do not reach. On every turn, once what waited has been heard.
    void look_at_reach(heartbeat::Time now);
    // A node is missed, though it may be there: its beats are looked for on the wire. On every turn, before beats
    // are received.
    void look_for_missing(heartbeat::Time now);

    // Why another configuration cannot come into force on this host, with the way out; empty: it can.
    std::string obstacle_to(const Config &next) const;
    // It is in force. former: the one before it.
    void configure(const Config &former);
    // Keys of the one in force that wait for the next start.
    std::vector<std::string> waits_for_restart() const;

    // As it is now; when the kernel cannot be asked, as it was.
    const Interface &look_at_interface();
    const filter::MacAddress &mac() const { return seen_.mac; } // the clients' interface's, as last seen
    // Why the agent must end; empty: it need not.
    const std::string &failure() const { return failure_; }

  private:
    std::function<Look()> look(heartbeat::Time now);
    void begin_look(heartbeat::Time now);
    void look_after_all(heartbeat::Time now, const Look &seen);
    // A node whose filter does not show that it works serves nothing: the others are to have its
    // buckets. What is missing is put back first.
    void look_after_filter(const Look &seen);
    void look_after_bridges(heartbeat::Time now, bool link_changed);
    void look_after_interface();
    void look_at_ports(const Look &seen);
    bool look_after_announcement(heartbeat::Time now); // true: something was put back
    void look_after_host(const Look &seen);
    void look_for_obstacles(const Look &seen);
    void configure_host();
    void look_after_witness();
    void judge();
    void look_after_sockets(heartbeat::Time now, const Look &seen);
    void look_after_addresses();
    void look_after_web();
    void set(ProblemKind kind, bool present, const std::string &text);
    std::string heal_filter(const Look &seen, bool &changed);
    void look_for_slowness(); // of the filter
    std::string dead_path_text(const Hearing::DeadPath &path) const;

    // What this node has to do with the networks around it.
    struct Surroundings {
        Reach::Interfaces interfaces; // deaf: each heartbeat interface is another's port
        bool listens = false, lost_together = false;
        std::vector<std::string> obstacles, ports;
        std::optional<Hearing::DeadPath> dead_path;
        bool operator==(const Surroundings &) const = default;
    };
    Surroundings look_around(heartbeat::Time now);

    Kept parts_;
    Interface seen_;
    int index_;
    Started started_;
    std::vector<std::string> ports_;    // of those, the ones that are: "eth1 is a port of br0"
    Reach reach_;
    Surroundings around_;
    std::vector<Connection> clients_; // some, of the last ones that were counted
    heartbeat::Time missed_until_{};
    LinkWatch links_;
    Working bridges_;
    std::optional<std::string> flaw_ = // of the filter, as far as is known
        "the filter has not been shown to work yet";
    bool slowed_ = false;
    std::string failure_;
    BackgroundTask<Look> look_;
    bool again_ = false; // something has changed since the look began
    bool stale_ = false; // the settings have changed as well: the look under way is discarded
    heartbeat::Time next_{}, begun_{};
};

} // namespace agent
