// SPDX-License-Identifier: Apache-2.0
//
// Whether clients and beats reach this node, as far as its interfaces and the beats of others tell. A node that they do
// not reach serves nothing: the others are to have its buckets.
#pragma once

#include "agent/node/hearing.hpp"

namespace agent {

class Reach {
  public:
    // judges_paths: beats come in on the clients' interface and on another one; it takes two to tell that one is dead.
    Reach(heartbeat::Duration dead_after, bool judges_paths) : dead_after_(dead_after), judges_paths_(judges_paths) {}

    struct Interfaces {
        bool linked = true; // the clients'
        bool mute = false;  // no beats can be sent
        bool deaf = false;  // none can be heard
        bool operator==(const Interfaces &) const = default;
    };
    // To be called on every turn, once what waited has been heard.
    void look(heartbeat::Time now, const Interfaces &interfaces, const Hearing &hearing);

    bool complete() const;
    // Something of that was missing until now, and the others may serve, though none is heard.
    bool listens() const { return listens_; }
    // It has been so for half of dead_after: when the whole network fails or returns, the others' words are as late as
    // their beats, and for a moment they seem to hear each other.
    const std::optional<Hearing::DeadPath> &dead_path() const { return dead_path_; }
    void set_dead_after(heartbeat::Duration dead_after) { dead_after_ = dead_after; }

  private:
    heartbeat::Duration dead_after_;
    bool judges_paths_;
    Interfaces seen_;
    bool listens_ = false;
    std::optional<Hearing::DeadPath> dead_path_;
    std::optional<heartbeat::Time> path_dead_since_;
    heartbeat::Time listens_until_{};
};

} // namespace agent
