// SPDX-License-Identifier: Apache-2.0
// A control socket served by a thread, in a temporary directory: an agent as far as a command can
// see.
#pragma once

#include "agent/control/local.hpp"
#include "test/unit/temporary_directory.hpp"

#include <atomic>
#include <chrono>
#include <poll.h>
#include <string>
#include <thread>

namespace agent_test {

class ControlServer {
  public:
    ControlServer(const std::string &run_dir, agent::Commands commands)
        : control_(run_dir), commands_(std::move(commands)), thread_([this] {
              while (!stop_) {
                  control_.serve(commands_);
                  auto waiting = control_.descriptors();
                  poll(waiting.data(), waiting.size(), 10);
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
