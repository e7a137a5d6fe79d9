// SPDX-License-Identifier: Apache-2.0
//
// This node's part in `nlbctl doctor`, which asks all nodes for it in three steps:
//
//     examine RUN            listens from now on; what this node says of itself and its host
//     probe RUN [gateway]    sends its probes, and pings the gateway; returns when they are out
//     heard RUN              what it has heard since
//
// RUN is a random number that the doctor has drawn, 16 hexadecimal digits. What a node hears says
// what its network does; what that means is nlbctl's to say (nlbctl/diagnosis), except this node's
// own problems, which status knows and which are passed on.
//
// There is one run at a time. It ends when what it has heard is asked for; the next one begins a
// second after its beginning at the earliest, so a node sends a few dozen frames a second at most,
// however often it is asked. A run that is no longer asked for anything soon makes room
// for others.
#pragma once

#include "agent/base/background_task.hpp"
#include "agent/base/poll.hpp"
#include "agent/config/in_force.hpp"
#include "agent/control/commands.hpp"
#include "agent/frames/probe_run.hpp"
#include "agent/node/node.hpp"
#include "agent/report/problems.hpp"
#include "agent/report/translations.hpp"
#include "filter/datapath.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agent {

struct Examined { // all of it outlives the Examination
    const InForce &in_force;
    const std::string &interface; // the clients'
    Node &node;
    const filter::Datapath &datapath;
    const Problems &problems;
    std::function<heartbeat::Time()> now;
};

class Examination {
  public:
    explicit Examination(Examined parts) : parts_(std::move(parts)) {}

    void add_to(Commands &commands);
    void wait(Poll &poll) const;
    void handle(heartbeat::Time now); // on every turn

    static constexpr heartbeat::Duration kAbandoned =
        std::chrono::seconds(20); // since it was last asked for
    static constexpr heartbeat::Duration kPause = std::chrono::seconds(1);

  private:
    // A run and what was seen of the host at its beginning: made in the background, because the kernel tells
    // some of it only behind its lock of all interfaces.
    struct Opened {
        std::unique_ptr<ProbeRun> run;
        Json host;
    };
    static Opened open(ProbeSettings settings);

    Commands::Result examine(const Commands::Arguments &args);
    Commands::Result probe(const Commands::Arguments &args);
    Json heard(const Commands::Arguments &args);
    bool is_running(std::uint64_t run) const { return run_ && run_->id() == run; }
    void begin(std::uint64_t run);
    void take_opened(heartbeat::Time now);
    ProbeRun &running(const Commands::Arguments &args);
    void read_rules();
    Json facts() const;

    Examined parts_;
    BackgroundTask<Opened> opening_;
    std::uint64_t opens_ = 0; // the run that is being opened, or could not be
    std::string unopened_;    // why
    std::unique_ptr<ProbeRun> run_;
    Json host_;
    heartbeat::Time begun_{}; // the last one; 0: there was none
    heartbeat::Time asked_{}; // for something of it, last
    BackgroundTask<std::vector<Translation>> reading_; // of the host's rules; throws
    std::optional<std::vector<Translation>> translations_;
    std::string unread_; // why there are none
};

} // namespace agent
