// SPDX-License-Identifier: Apache-2.0
// Sends frames by an interface, with libnet.
#pragma once

#include "filter/address.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct libnet_context;

namespace agent {

class FrameSender {
  public:
    explicit FrameSender(const std::string &interface); // throws std::runtime_error
    bool send(const std::vector<std::uint8_t> &frame);  // never blocks
    // Whether the interface has been down since this was opened.
    bool was_down();
    // The interface's own, as it is now: an administrator may change it. Asked by the socket that
    // is open, so that an agent without a free descriptor still answers.
    std::optional<filter::MacAddress> mac() const;

  private:
    struct Close {
        void operator()(libnet_context *context) const;
    };
    std::string interface_;
    bool was_down_ = false;
    std::unique_ptr<libnet_context, Close> context_;
};

} // namespace agent
