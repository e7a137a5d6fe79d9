// SPDX-License-Identifier: Apache-2.0
//
// Type "tcp": the service accepts a connection. It is closed at once, in an orderly way: a reset
// would look like an error in the service's log.
#pragma once

#include "agent/base/endpoint.hpp"
#include "agent/health/check.hpp"
#include "filter/address.hpp"
#include "filter/descriptor.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace agent {

enum class Connecting { under_way, connected, failed };

// A connection to the service as its clients would make it: to a virtual IP. A node's own
// connection to a virtual IP never leaves it.
class Connector {
  public:
    explicit Connector(const Endpoint &to) : to_(to) {}

    void begin();     // throws when the agent lacks something for it, see HealthCheck
    Connecting handle(); // without waiting
    void close() { socket_ = filter::Descriptor(); }

    int descriptor() const { return socket_.get(); } // writable: call handle(); -1: none
    const std::string &why() const { return why_; }  // it failed: "connect to 192.0.2.1:80: cause"
    std::string end() const { return to_string(to_); } // "192.0.2.1:80"

  private:
    void fail(const std::string &what, int error);
    void fail_to_begin(const std::string &what, int error);

    Endpoint to_;
    filter::Descriptor socket_;
    std::string why_;
};

class TcpCheck final : public HealthCheck {
  public:
    TcpCheck(const filter::IpAddress &address, std::uint16_t port) : connector_({address, port}) {}

    bool begin() override;
    std::optional<CheckResult> handle() override;
    void abort() override { connector_.close(); }
    void wait(Poll &poll) const override;

  private:
    Connector connector_;
};

} // namespace agent
