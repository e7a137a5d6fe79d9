// SPDX-License-Identifier: Apache-2.0
//
// The commands that change a node. Each is an order: the agent writes it to the disk first, and
// only then it takes effect. If it cannot be written, the command fails and nothing changes. Orders
// are idempotent.
//
// A suspended node accepts only `resume`, and an agent that is about to end accepts none.
#pragma once

#include "agent/config/in_force.hpp"
#include "agent/control/commands.hpp"
#include "agent/node/census.hpp"
#include "agent/node/draining.hpp"
#include "agent/node/node.hpp"
#include "agent/orders/file.hpp"

#include <functional>
#include <list>
#include <string>

namespace agent {

// What the orders work on; all of it outlives the Execution.
struct Executing {
    const InForce &in_force;
    Node &node;
    filter::Datapath &datapath;
    SocketCensus &census;
    Draining &draining;
    std::function<heartbeat::Time()> now;
};

class Execution {
  public:
    // orders: those that the node, its datapath and its census were made with.
    Execution(Executing parts, OrdersFile &file, Orders orders);

    void add_to(Commands &commands);
    // Call once, before the first turn: restores the node's state from before the restart.
    void restore();
    // On every turn: continues orders that have no waiting client.
    void handle();

    // The last connection of a drain has ended, or its time is up.
    void drained();
    // Whether this node may take part at all, whatever was ordered: a problem keeps it out of the
    // cluster, and others have its buckets.
    void set_able(bool able);
    // Another configuration is in force: the orders override it as they did the former one.
    void configure();
    // Throws Denied while no order is accepted.
    void refuse_orders() const;
    // From now on every command is refused.
    void set_ending() { ending_ = true; }

    const Orders &orders() const { return orders_; }
    // What this node asks for, as a configuration has it.
    std::uint8_t weight_of(const NodeConfig &self) const;

  private:
    using Edit = std::function<void(Orders &)>;
    struct Change;

    Commands::Result order(Edit edit, bool of_suspended = false);
    Commands::Result order_rule(const Commands::Arguments &args, std::optional<RuleOrder> wanted);
    Commands::Result drain(const Commands::Arguments &args);
    Commands::Result weight(const Commands::Arguments &args);
    Json state() const;

    std::optional<Json> go_on(Change &change);
    [[noreturn]] void wait_no_longer(const std::shared_ptr<Change> &change);
    bool write(Change &change);
    void take_effect(const Orders &next);
    void set_rules(const Orders &before);
    void set_mode(const Orders &before);
    void enter_mode();
    void set_weight();
    bool settled(const Orders &wanted) const;
    void refuse_when_ending() const;

    Executing parts_;
    OrdersFile &file_;
    Orders orders_;
    bool able_ = true, ending_ = false;
    std::list<Commands::Later> own_; // changes that the agent makes by itself
};

} // namespace agent
