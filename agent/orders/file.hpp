// SPDX-License-Identifier: Apache-2.0
//
// The orders on disk: STATE_DIR/orders.json, which is there as long as there is an order, and is
// the old or the new one, whole, whenever the machine loses its power.
//
// A disk may take a second to write, and beats cannot wait: so it is done in the background, one
// change at a time.
#pragma once

#include "agent/base/background_task.hpp"
#include "agent/base/poll.hpp"
#include "agent/orders/orders.hpp"

#include <optional>
#include <string>

namespace agent {

class OrdersFile {
  public:
    // Creates nothing yet: the directory is created with the first order.
    explicit OrdersFile(const std::string &state_dir); // throws
    const std::string &path() const { return path_; }

    // Throws std::runtime_error, `read orders FILE: cause; way out`, when what is there cannot be
    // read or is damaged. No file: no orders.
    Orders load() const;

    bool busy() const { return writing_.busy(); }
    void begin(const Orders &orders); // precondition: not busy()
    // nullopt while it is being written. Then, once, why it failed, `write orders FILE: cause; way
    // out`: what was on disk before is there still. Empty: done.
    std::optional<std::string> finished();

    void wait(Poll &poll) const { poll.read(descriptor()); }
    int descriptor() const { return writing_.descriptor(); }

  private:
    struct Outcome {
        std::string failure; // empty: the orders are in the file
        std::string warning; // which may not outlive a loss of power
    };
    static Outcome put(const std::string &directory, const std::string &path, const Orders &orders);

    std::string directory_, path_;
    BackgroundTask<Outcome> writing_;
};

} // namespace agent
