// SPDX-License-Identifier: Apache-2.0
// A status as an agent sends it, for the tests of what people see.
#pragma once

#include "agent/control/commands.hpp"

namespace agent_test {

inline agent::Json example_status() {
    return agent::Json::parse(R"({
      "cluster": "web", "node": {"id": 1, "name": "web1"}, "state": "active", "reason": null,
      "view": {"term": 3, "number": 7, "leader": 2, "installed": true},
      "datapath": {"kind": "xdp", "mode": "generic", "interface": "eth0"},
      "members": [
        {"id": 1, "name": "web1", "state": "active", "reason": null, "weight": 100, "share": 0.5, "last_heard_ms": 0},
        {"id": 2, "name": "wéb2", "state": "active", "reason": null, "weight": 100, "share": 0.5, "last_heard_ms": 21},
        {"id": 31, "name": "网站3", "state": "dead", "reason": "never heard", "weight": 5, "share": 0.0, "last_heard_ms": null}],
      "rules": [
        {"name": "http", "protocol": "tcp", "ports": "80", "mode": "multiple", "affinity": "single", "state": "enabled", "healthy": true, "buckets": 32768, "reason": null},
        {"name": "admin", "protocol": "both", "ports": "8000-8999", "mode": "disabled", "affinity": "none", "state": "disabled", "healthy": true, "buckets": 0, "reason": "mode is disabled"}],
      "counters": {"accepted": 10, "accepted_guarded": 1, "not_virtual_ip": 99, "foreign": 20, "no_owner": 0, "truncated": 4},
      "beats": {"received": 5, "bad_tag": 1},
      "neighbours": {"answered": 2},
      "commands": {"answered": 1, "malformed": 0},
      "reload": {"staged": false, "waiting_for": [], "staged_another": []}})");
}

} // namespace agent_test
