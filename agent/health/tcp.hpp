// SPDX-License-Identifier: Apache-2.0
//
// Type "tcp": the service accepts a connection. It is closed at once, in an orderly way: a reset
// would look like an error in the service's log.
#pragma once

#include "agent/health/check.hpp"
#include "agent/health/dial.hpp"

namespace agent {

class TcpCheck final : public HealthCheck {
  public:
    TcpCheck(const filter::IpAddress &address, std::uint16_t port) : dial_(address, port) {}

    bool begin() override;
    std::optional<Finding> handle() override;
    void abort() override { dial_.close(); }
    std::vector<pollfd> descriptors() const override;

  private:
    Dial dial_;
};

} // namespace agent
