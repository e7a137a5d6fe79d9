// SPDX-License-Identifier: Apache-2.0
//
// Something that is tried again and again, and may fail for a while: the log hears of the first
// failure, and when it works again.
#pragma once

#include "agent/base/log.hpp"

#include <exception>
#include <string>
#include <utility>

namespace agent {

class Working {
  public:
    // "connections: not counted", "connections: counted again"
    Working(std::string fails, std::string again)
        : fails_(std::move(fails)), again_(std::move(again)) {}

    // task: true when it was done, false when there was nothing to do; it may throw.
    template <class Task>
    void attempt(const Task &task) {
        const bool worked = works_;
        try {
            if (!task()) return;
            works_ = true;
            if (!worked) log::info(again_);
        } catch (const std::exception &error) {
            works_ = false;
            if (worked) log::warn(fails_ + " (" + error.what() + ")");
        }
    }

  private:
    std::string fails_, again_;
    bool works_ = true;
};

} // namespace agent
