// SPDX-License-Identifier: Apache-2.0
//
// `push`: a configuration file arrives with a command, from nlbctl on any node (nlbctl reload --file).
//
//     push check TEXT    could it come into force here? Nothing is written
//     push write TEXT    the same, and it takes the place of the file; the former one stays beside it
//     push undo          the former one takes its place again: another node could not do it
//
// Then `reload` reads the file as usual. Where the agent's user may not write to the file's directory, as with the
// packaged unit, the text goes to STATE_DIR/pushed.toml, and root's nlbd-config.service, which systemd starts then,
// checks it again and puts it in place; the agent waits until the file is the pushed one.
#pragma once

#include "agent/base/background_task.hpp"
#include "agent/base/file.hpp"
#include "agent/base/poll.hpp"
#include "agent/config/in_force.hpp"
#include "agent/control/commands.hpp"
#include "agent/orders/execution.hpp"
#include "agent/orders/reload.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace agent {

struct Pushing { // all of it outlives the Push
    const InForce &in_force;
    const Execution &execution;
    const Reload &reload;
    std::string state_dir;
    Opener open; // the configuration file
    std::function<heartbeat::Time()> now;
};

class Push {
  public:
    explicit Push(Pushing parts) : parts_(std::move(parts)) {}

    void add_to(Commands &commands);
    void wait(Poll &poll) const { poll.read(writing_.descriptor()); }

  private:
    Commands::Result push(const Commands::Arguments &args);
    void check(const std::string &text) const;
    Commands::Result write(const std::string &text);
    void require_idle();
    Json configuration() const;

    Pushing parts_;
    BackgroundTask<std::string> writing_; // of the former text; throws
    std::weak_ptr<heartbeat::Time> writer_; // the command that waits for it, with its deadline
    std::optional<std::string> former_;     // of the last file that was written
};

} // namespace agent
