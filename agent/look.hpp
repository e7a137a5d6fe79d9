// SPDX-License-Identifier: Apache-2.0
//
// Facts that the kernel reports only under its lock of all interfaces (RTNL). A driver that resets its card, or a tool that
// removes a thousand interfaces, holds that lock for seconds, and beats cannot wait: so a thread of its own asks for them,
// and the loop's own questions each second need no such lock.
#pragma once

#include "agent/host/obstacle.hpp"
#include "agent/host/state.hpp"
#include "agent/host/way_back.hpp"
#include "filter/datapath.hpp"
#include "heartbeat/transport.hpp"

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace agent {

// What a look has shown, or why it has not.
template <class T>
class Seen {
  public:
    template <class Ask>
    explicit Seen(const Ask &ask) {
        try {
            value_.emplace(ask());
        } catch (...) {
            error_ = std::current_exception();
        }
    }

    const T &get() const { // throws what the look has thrown
        if (error_) std::rethrow_exception(error_);
        return *value_;
    }

  private:
    std::optional<T> value_;
    std::exception_ptr error_;
};

struct Look {
    Seen<filter::InPlace> filter;
    Seen<heartbeat::Transport::Look> beats;
    Seen<std::vector<std::string>> ports; // heartbeat interfaces that are another's: "eth1 is a port of br0"
    Seen<HostSeen> host;
    Seen<std::optional<Obstacle>> obstacle;
    Seen<std::optional<std::string>> no_way_back; // to clients
};

} // namespace agent
