// SPDX-License-Identifier: Apache-2.0
// A control socket served by a thread, in a temporary directory: an agent as far as a command can
// see.
#pragma once

#include "agent/base/clock.hpp"
#include "agent/control/local.hpp"
#include "test/unit/temporary_directory.hpp"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace agent_test {

class ControlServer {
  public:
    ControlServer(const std::string &run_dir, agent::Commands commands)
        : control_(run_dir), commands_(std::move(commands)), thread_([this] {
              while (!stop_) {
                  control_.serve(commands_);
                  agent::Poll poll(agent::boot_now());
                  control_.wait(poll);
                  poll.at(poll.now() + std::chrono::milliseconds(10));
                  poll.sleep();
              }
          }) {}
    ~ControlServer() {
        stop_ = true;
        thread_.join();
    }

  private:
    agent::Control control_;
    agent::Commands commands_;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

} // namespace agent_test
