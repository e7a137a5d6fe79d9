// SPDX-License-Identifier: Apache-2.0
//
// The orders on disk: STATE_DIR/orders.json, which is there as long as there is an order, and is
// the old or the new one, whole, whenever the machine loses its power.
//
// A disk may take a second to write, and beats cannot wait: so it is done in another thread, one
// change at a time.
#pragma once

#include "agent/orders.hpp"
#include "filter/descriptor.hpp"

#include <future>
#include <optional>
#include <string>
#include <thread>

namespace agent {

class OrdersFile {
  public:
    // Makes nothing yet: the directory is made with the first order.
    explicit OrdersFile(const std::string &state_dir); // throws
    ~OrdersFile(); // does not wait for a write: what is there is the old file or the new one
    const std::string &path() const { return path_; }

    // Throws std::runtime_error, `read orders FILE: cause; way out`, when what is there cannot be
    // read or is damaged. No file: no orders.
    Orders load() const;

    bool busy() const { return writing_.valid(); }
    void begin(const Orders &orders); // precondition: not busy()
    // Nothing while it is being written. Then, once, why it failed, `write orders FILE: cause; way
    // out`: what was on disk before is there still. Empty: done.
    std::optional<std::string> finished();

    int descriptor() const { return done_.get(); } // for poll: readable when finished() has news

  private:
    std::string directory_, path_;
    filter::Descriptor done_; // an eventfd
    std::future<std::string> writing_; // ready before done_ is
    std::jthread writer_;
};

} // namespace agent
