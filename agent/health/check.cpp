// SPDX-License-Identifier: Apache-2.0
#include "agent/health/check.hpp"

#include "agent/health/exec.hpp"
#include "agent/health/http.hpp"
#include "agent/health/tcp.hpp"

namespace agent {
namespace {

std::unique_ptr<HealthCheck> make_check(const RuleConfig &rule,
                                        const std::vector<filter::IpAddress> &virtual_ips,
                                        const std::shared_ptr<Monitor> &monitor) {
    const HealthConfig &wanted = rule.health;
    const filter::IpAddress &address =
        rule.virtual_ips.empty() ? virtual_ips.front() : rule.virtual_ips.front();
    switch (wanted.type) {
    case HealthType::tcp:
        return std::make_unique<TcpCheck>(address, wanted.port);
    case HealthType::http:
        return std::make_unique<HttpCheck>(address, wanted);
    case HealthType::exec:
        return std::make_unique<ExecCheck>(wanted, rule.name, monitor);
    case HealthType::none:
    case HealthType::listener:
        break;
    }
    return nullptr;
}

} // namespace

HealthChecks make_health_checks(const Config &config, const std::shared_ptr<Monitor> &monitor) {
    HealthChecks checks;
    for (const RuleConfig &rule : config.rules)
        checks.push_back(make_check(rule, config.virtual_ips, monitor));
    return checks;
}

} // namespace agent
