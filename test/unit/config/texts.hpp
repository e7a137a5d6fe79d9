// SPDX-License-Identifier: Apache-2.0
// Configurations for tests, put together of tables.
#pragma once

#include "agent/config/config.hpp"

#include <string>

namespace agent_test {

// The beginning of a configuration; a test adds virtual IPs and rules.
inline const std::string kTwoNodes = R"(
    [cluster]
    name = "web"
    interface = "eth0"
    [[node]]
    id = 1
    name = "web1"
    [[node]]
    id = 2
    name = "web2"
)";

inline std::string virtual_ip(const std::string &address) {
    return "[[virtual_ip]]\naddress = \"" + address + "\"\n";
}

// more: further lines of the table.
inline std::string rule(const std::string &name, const std::string &protocol,
                        const std::string &ports, const std::string &more = "") {
    return "[[rule]]\nname = \"" + name + "\"\nprotocol = \"" + protocol + "\"\nports = \"" +
           ports + "\"\n" + more + "\n";
}

// Of web1 and web2, with these tables.
inline agent::Config two_nodes(const std::string &tables) {
    return agent::parse_config(kTwoNodes + tables, "test.toml");
}

} // namespace agent_test
