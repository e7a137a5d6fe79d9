// SPDX-License-Identifier: Apache-2.0
//
// Type "http": the service answers a GET with one of the wanted status codes. The code is in the
// first line of the answer, and nothing behind that line is looked at.
//
// libcurl was weighed: it would read these twelve bytes as well, and load thirty libraries into an
// agent that has to be there again within a lease when it is restarted (it doubled its start).
#pragma once

#include "agent/health/check.hpp"
#include "agent/health/tcp.hpp"

#include <string>
#include <string_view>

namespace agent {

// The code of "HTTP/1.1 200 OK"; nothing when it is not such a line.
std::optional<unsigned> parse_status_line(std::string_view line);

class HttpCheck final : public HealthCheck {
  public:
    HttpCheck(const filter::IpAddress &address, const HealthConfig &wanted);

    bool begin() override;
    std::optional<CheckResult> handle() override;
    void abort() override { connector_.close(); }
    void wait(Poll &poll) const override;

  private:
    std::optional<CheckResult> send_rest();
    std::optional<CheckResult> receive();
    CheckResult judge(std::string_view line);
    CheckResult fail(const std::string &why);

    Connector connector_;
    HealthConfig wanted_;
    std::string request_;
    bool connected_ = false;
    std::size_t sent_ = 0;
    std::string answer_; // its beginning
};

} // namespace agent
