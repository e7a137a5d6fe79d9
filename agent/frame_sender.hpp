// SPDX-License-Identifier: Apache-2.0
// Sends frames by an interface, with libnet.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct libnet_context;

namespace agent {

class FrameSender {
  public:
    explicit FrameSender(const std::string &interface); // throws std::runtime_error
    bool send(const std::vector<std::uint8_t> &frame);  // never blocks

  private:
    struct Close {
        void operator()(libnet_context *context) const;
    };
    std::unique_ptr<libnet_context, Close> context_;
};

} // namespace agent
